"""Template files: statements of the language, free or shaped into manifests."""

from dataclasses import replace

from tests.fuzz.expressions import Place

KINDS = (
    *("ConfigMap", "Deployment", "Service", "Secret", "ServiceAccount", "Namespace", "Job", "Pod"),
    *(
        "ClusterRole",
        "Role",
        "RoleBinding",
        "Ingress",
        "CronJob",
        "Custom",
        "Widget",
        "List",
        "configmap",
    ),
    *(
        "CustomResourceDefinition",
        "StatefulSet",
        "PersistentVolumeClaim",
        "PriorityClass",
        "APIService",
    ),
)
VERSIONS = ("v1", "apps/v1", "batch/v1", "example.com/v1alpha1", "rbac.authorization.k8s.io/v1")
HOOKS = (
    *(
        "pre-install",
        "post-install",
        "pre-install,post-upgrade",
        "test",
        "test-success",
        "crd-install",
    ),
    *("pre-delete", " pre-install , pre-upgrade ", "nonsense", "pre-rollback", "PRE-INSTALL", ""),
)
WEIGHTS = ('"1"', '"-5"', '"0"', '"x"', '"+3"', "7", '"1.5"', '""')
POLICIES = ("before-hook-creation", "hook-succeeded,hook-failed", "hook-succeeded", "bogus", "")
TEXTS = (
    "text\n",
    "x",
    " a ",
    "\n",
    "  - item\n",
    "key: value\n",
    "é\n",
    "# note\n",
    "}}",
    "\t",
    "a\n\n  b\n",
)
COMMENTS = ("/* note */", "- /* a\nb */ -", "/**/", "/* {{ x }} */")


TOKENS = (
    *(
        " ",
        " ",
        "$",
        ".",
        ".a",
        "$x",
        " := ",
        " = ",
        "|",
        " | ",
        "(",
        ")",
        '"s"',
        "`r`",
        "1",
        "0x",
        "1.5",
    ),
    *(
        "nil",
        "true",
        "if ",
        "else",
        "end",
        "range ",
        "with ",
        "define ",
        "template ",
        "block ",
        "break",
    ),
    *(
        "upper",
        "printf",
        "nope",
        ", ",
        "-",
        " -",
        "- ",
        "'c'",
        "'",
        '"',
        ".Values.name",
        "/*",
        "*/",
        "\n",
    ),
    *(
        "..",
        ".1",
        "1.",
        "_",
        "$.",
        "$x.y",
        "{",
        "}",
        "}}",
        "{{",
        "=",
        ":",
        "!",
        "1i",
        "é",
        "\\",
        "@",
        "/",
    ),
)
# How statements are shared out.
_FORMS = (
    *(["text"] * 4 + ["shown"] * 5 + ["declaration"] * 2 + ["assignment", "comment", "template"]),
    *(["jump"] + ["if"] * 3 + ["with"] * 2 + ["range"] * 3 + ["block", "soup"]),
)


class Templates:
    """Makes the texts of template files out of the pipelines of `expressions`."""

    def __init__(self, choices, expressions):
        self.choices = choices
        self.expressions = expressions
        self._names = 0

    # -- actions ---------------------------------------------------------------------------------

    def action(self, inner):
        """`{{ inner }}` with any trimming and spacing."""
        form = self.choices.below(12)
        if form < 7:
            return f"{{{{ {inner} }}}}"
        if form < 10:
            return ("{{- %s }}", "{{ %s -}}", "{{- %s -}}")[form - 7] % inner
        return ("{{%s}}", "{{-  %s\n  -}}")[form - 10] % inner

    def block(self, place, depth, most=3):
        """Some statements; variables that they declare are known to those behind them."""
        parts = []
        for _ in range(self.choices.below(most + 1)):
            text, place = self.statement(place, depth)
            parts.append(text)
        return "".join(parts)

    def statement(self, place, depth):
        """One statement, and what is known behind it."""
        form = self.choices.pick(_FORMS)
        if form == "declaration":
            return self._declaration(place)
        if form == "soup" and not self.expressions.wrong:
            form = "shown"
        if depth <= 0 and form in {"if", "with", "range", "block"}:
            form = "text"
        return getattr(self, f"_{form}")(place, depth - 1), place

    def _text(self, _place, _depth):
        return self.choices.pick(TEXTS)

    def _comment(self, _place, _depth):
        return f"{{{{{self.choices.pick(COMMENTS)}}}}}"

    def _shown(self, place, _depth):
        return self.action(self._value(self.choices.pick("saslfbtimi"), place))

    def _assignment(self, place, depth):
        if not place.variables:
            return self._shown(place, depth)
        name, kind = self.choices.pick(place.variables)
        return self.action(f"{name} = {self.expressions.pipeline(kind, place)}")

    def _jump(self, place, depth):
        if not place.in_loop:
            return self._shown(place, depth)
        inner = self.choices.pick(("break", "continue"))
        condition = self.expressions.pipeline("b", place)
        return f"{self.action(f'if {condition}')}{{{{ {inner} }}}}{self.action('end')}"

    def _soup(self, _place, _depth):
        """Any tokens in a row."""
        return f"{{{{{''.join(self.choices.some(TOKENS, 7))}}}}}"

    def _block(self, place, depth):
        """A template defined where it is used."""
        self._names += 1
        data = self.expressions.pipeline("m", place)
        body = self.block(Place(dot="m", dollar="m"), depth)
        start = self.action(f'block "k{self._names}" {data}')
        return f"{start}{body}{self.action('end')}"

    def _value(self, kind, place):
        """A pipeline whose value is printed."""
        text = self.expressions.pipeline(kind, place)
        if text in {".", "$", ".Capabilities", "$.Capabilities"}:
            return "kindOf " + text
        return text

    def _declaration(self, place):
        self._names += 1
        name = f"$v{self._names % 5}"
        kind = self.choices.pick("sailmtbf")
        text = self.action(f"{name} := {self.expressions.pipeline(kind, place)}")
        return text, place.with_variable(name, kind)

    def _template(self, place, depth):
        if not place.partials:
            return self._shown(place, depth)
        name = self.choices.pick(place.partials)
        data = self.choices.pick((" .", " $", "", " .Values")) if self.choices.chance(50) else " ."
        return self.action(f'template "{name}"{data}')

    def _if(self, place, depth):
        choices = self.choices
        condition = self.expressions.pipeline(choices.pick("babasml"), place)
        if choices.chance(8):
            condition = f"$c := {condition}"
        parts = [self.action(f"if {condition}"), self.block(place, depth)]
        while choices.chance(20):
            condition = self.expressions.pipeline("b", place)
            parts += [self.action(f"else if {condition}"), self.block(place, depth)]
        if choices.chance(40):
            parts += [self.action("else"), self.block(place, depth)]
        return "".join([*parts, self.action("end")])

    def _with(self, place, depth):
        choices = self.choices
        kind = choices.pick("msaltib")
        inside = replace(place, dot=kind)
        subject = self.expressions.pipeline(kind, place)
        if choices.chance(15):
            subject = f"$w := {subject}"
            inside = inside.with_variable("$w", kind)
        parts = [self.action(f"with {subject}"), self.block(inside, depth)]
        if choices.chance(15):
            other = self.expressions.pipeline(kind, place)
            parts += [
                self.action(f"else with {other}"),
                self.block(replace(place, dot=kind), depth),
            ]
        if choices.chance(30):
            parts += [self.action("else"), self.block(place, depth)]
        return "".join([*parts, self.action("end")])

    def _range(self, place, depth):
        choices = self.choices
        kind, element = choices.pick((("l", "a"), ("t", "s"), ("m", "a"), ("c", "i"), ("a", "a")))
        if kind == "c":
            subject = choices.pick(("3", "0", "(int 2)", "-1", "(until 2)"))
            if choices.chance(10):
                subject = choices.pick(('"ab"', "nil", "2.5", "(int64 2)", "true"))
        elif kind == "l" and place.root is not None and choices.chance(40):
            subject, element = f"{place.root}.Values.items", "m"
        else:
            subject = self.expressions.pipeline(kind, place)
            if kind == "a" and not choices.chance(30):
                subject = f"list 1 ({subject})"
        inside = replace(place, dot=element, in_loop=True)
        names = choices.below(4)
        if names == 1:
            subject = f"$e := {subject}"
            inside = inside.with_variable("$e", element)
        elif names > 1:
            subject = f"$i, $e := {subject}"
            inside = inside.with_variable("$e", element)
            inside = inside.with_variable("$i", "s" if kind == "m" else "i")
        parts = [self.action(f"range {subject}"), self.block(inside, depth)]
        if choices.chance(25):
            parts += [self.action("else"), self.block(place, depth)]
        return "".join([*parts, self.action("end")])

    # -- files -----------------------------------------------------------------------------------

    def partials(self, names):
        """The text of _helpers.tpl: what it defines can name what comes before it."""
        parts = []
        for number, name in enumerate(names):
            place = Place(partials=tuple(names[:number]), in_partial=True)
            body = self.block(place, 2)
            left, right = self.choices.pick((("{{- ", " -}}"), ("{{ ", " }}"), ("{{- ", " }}")))
            parts.append(f'{left}define "{name}"{right}\n{body}\n{left}end{right}\n')
        return "".join(parts)

    def free(self, partials):
        """Any text, as in NOTES.txt."""
        return self.block(Place(partials=partials), 3, most=6)

    def manifest(self, partials):
        """One or more objects."""
        place = Place(partials=partials)
        nested = self.choices.chance(15)
        parts = [self._object(place, nested=nested)]
        while self.choices.chance(25):
            parts.append(self.choices.pick(("---\n", "--- # next\n", "\n---\n\n")))
            parts.append(self._object(place, nested=nested))
        text = "".join(parts)
        if nested:
            condition = self.expressions.pipeline("b", place)
            text = f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n"
        return text

    def _object(self, place, *, nested):
        choices, pipeline = self.choices, self.expressions.pipeline
        name = f"{{{{ {pipeline('s', place)} | quote }}}}" if choices.chance(40) else "plain"
        lines = [
            f"apiVersion: {choices.pick(VERSIONS)}\nkind: {choices.pick(KINDS)}\n",
            f"metadata:\n  name: {name}\n",
        ]
        if choices.chance(30):
            lines.append(f"  labels:\n    {{{{- {pipeline('m', place)} | toYaml | nindent 4 }}}}\n")
        if choices.chance(30):
            lines += ["  annotations:\n", *self._annotations(place)]
        lines.append("data:\n")
        for number in range(choices.below(5)):
            text, place = self._entry(f"k{number}", place, nested=nested)
            lines.append(text)
        return "".join(lines)

    def _annotations(self, place):
        choices = self.choices
        yield f'    "x/y": {{{{ {self.expressions.pipeline("s", place)} | quote }}}}\n'
        if choices.chance(60):
            yield f'    "helm.sh/hook": "{choices.pick(HOOKS)}"\n'
        if choices.chance(30):
            yield f'    "helm.sh/hook-weight": {choices.pick(WEIGHTS)}\n'
        if choices.chance(30):
            yield f'    "helm.sh/hook-delete-policy": "{choices.pick(POLICIES)}"\n'
        if choices.chance(15):
            yield '    helm.sh/resource-policy: "keep"\n'

    def _entry(self, key, place, *, nested):
        choices, pipeline = self.choices, self.expressions.pipeline
        form = choices.below(9)
        kind = choices.pick("saimltfb")
        if form < 3:
            return f"  {key}: {{{{ {pipeline(kind, place)} | quote }}}}\n", place
        if form < 5:
            return f"  {key}: {{{{- toYaml ({pipeline(kind, place)}) | nindent 4 }}}}\n", place
        if form == 5:
            return f"  {key}: {{{{ {pipeline(kind, place)} | toJson }}}}\n", place
        if form == 6:
            text, place = self._declaration(place)
            return f"  {text}\n  {key}: 1\n", place
        if form == 7 and not nested:
            body = self.block(place, 2)
            self._names += 1
            name = f"b{self._names}"
            define = f'  {{{{- define "{name}" }}}}{body}{{{{ end }}}}\n'
            return f'{define}  {key}: {{{{ include "{name}" . | quote }}}}\n', place
        condition = pipeline("b", place)
        inner, _ = self._entry(f"{key}in", place, nested=True)
        lines = (
            f"{{{{- if {condition} }}}}\n{inner}",
            f"{{{{- else }}}}\n  {key}: no\n",
            "{{- end }}\n",
        )
        return "  " + "  ".join(lines), place
