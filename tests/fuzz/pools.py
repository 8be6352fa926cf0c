"""What pipelines are made of: literals, paths, and the functions with what they take."""


def _pools(text):
    """Read lines `name: this ¦ that`; what is indented goes on."""
    found = {}
    for line in text.strip("\n").split("\n\n"):
        name, _, alternatives = line.partition(": ")
        found[name] = tuple(one.strip() for one in alternatives.split("¦"))
    return found


LITERALS = _pools(r"""
s: "a" ¦ "web" ¦ "" ¦ `raw` ¦ "a b c" ¦ "Hello, World" ¦ "é日本" ¦ "x\ty\n" ¦ "123" ¦ "1.5e3" ¦
  "true" ¦ "a,b,,c" ¦ "  pad " ¦ "foo-bar_baz.qux" ¦ "CamelCaseHTTP" ¦ "%d" ¦
  "\u00e9\U0001F600" ¦ "\x41\101" ¦ `a\nb` ¦ "<a href=\"x\">&</a>" ¦ "line1\nline2\n" ¦
  "key: value" ¦ "{}" ¦ "[1, 2]" ¦ "null" ¦ "0x1F" ¦ "1_000"

i: 1 ¦ 0 ¦ 2 ¦ 3 ¦ -1 ¦ 7 ¦ 10 ¦ 100 ¦ 0x1F ¦ 0b101 ¦ 0o17 ¦ 017 ¦ 1_000 ¦ 'a' ¦ '\n' ¦ '世' ¦
  -0 ¦ +5 ¦ 1e3 ¦ 9223372036854775807 ¦ -9223372036854775808 ¦ 4_2

f: 1.5 ¦ 0.5 ¦ -2.25 ¦ 1e3 ¦ 1e21 ¦ .5 ¦ 1. ¦ 1e-7 ¦ 0x1p4 ¦ 3.0 ¦ 100.0 ¦ 2.675

b: true ¦ false

l: (list) ¦ (list 1 2 3) ¦ (list "b" "a" "b") ¦ (list 1 "a" nil true 2.5) ¦ (until 3)

t: (list "b" "a" "c") ¦ (splitList "," "a,b,c") ¦ (tuple "x" "y") ¦ ("z" | list)

m: dict ¦ (dict "a" 1 "b" "x") ¦ (dict "a" (dict "b" 2)) ¦ (dict "name" "n" "value" nil)

a: 1 ¦ "x" ¦ true ¦ 1.5 ¦ (list 1) ¦ (dict "k" "v") ¦ 1i ¦ 2.5e3 ¦ 'x' ¦ 0

c: 1 ¦ 2 ¦ 3 ¦ 0 ¦ 5 ¦ 10 ¦ 40 ¦ 4 ¦ 7 ¦ 12 ¦ 6 ¦ 20

k: "a" ¦ "name" ¦ "b" ¦ "x-y" ¦ "missing" ¦ "" ¦ "value" ¦ "é"

regex: "a+" ¦ "[a-z]+" ¦ "^(\\w)(.*)$" ¦ `\d+` ¦ "(b)|(a)" ¦ "." ¦ "" ¦ `\s*` ¦ `(?i)WEB` ¦
  `(?P<x>[a-c])` ¦ "[[:alpha:]]" ¦ `\pL+` ¦ `\bweb\b` ¦ "[^x]*?"

replacement: "X" ¦ "$1" ¦ "${1}y" ¦ "$x" ¦ "$0$0" ¦ "" ¦ "\\" ¦ "${x}$"

version: "1.2.3" ¦ "v1.2.3-rc.1+b5" ¦ "1.2" ¦ "2" ¦ "0.0.0" ¦ "1.36.0"

constraint: ">=1.2.0" ¦ "^1.2.x" ¦ "~1.2" ¦ ">= 1.0, < 2.0" ¦ "1.x || 2.x" ¦ "*" ¦ "!=1.2.3" ¦
  ">=1.2-0" ¦ "1.2 - 1.4" ¦ "=>1" ¦ "~>1.2.3-beta"

json: `{"a":1,"b":[1.5,null,true]}` ¦ `[1,"x"]` ¦ `"s"` ¦ `{` ¦ "" ¦ `1e3` ¦ `{"a":{}}` ¦
  `[1,2` ¦ `{"a":12345678901234567890}` ¦ `nul` ¦ `{"a":1} x`

yaml: "a: 1\nb: [x, yes]" ¦ "- 1\n- 0x1F\n- 012" ¦ "x" ¦ "a: {b: }" ¦ "a: b: c" ¦ "" ¦
  "a: &x {n: 1}\nb: {<<: *x}" ¦ `a: |
  t
  u` ¦ "1: 2\ntrue: 3" ¦ "a: 1e3\nb: 1_000" ¦ "[1" ¦ "\t- x" ¦ "a: 2024-01-02" ¦ "a: 1\na: 2" ¦
  "? x" ¦ "!!str 1" ¦ "*y"

format: "%s-%d" ¦ "%v" ¦ "%q" ¦ "%5d|" ¦ "%-5s|" ¦ "%05.1f" ¦ "%x" ¦ "%T" ¦ "%+v" ¦ "%#v" ¦
  "%t" ¦ "%c" ¦ "%e" ¦ "%g" ¦ "%%" ¦ "%s" ¦ "%d" ¦ "%08b" ¦ "%X" ¦ "%U" ¦ "%o" ¦ "%O" ¦
  "%[2]s %[1]v" ¦ "%*d" ¦ "%.2s" ¦ "%!" ¦ "%z" ¦ "% d" ¦ "%+d" ¦ "%6.2f" ¦ "%G" ¦ "%#x" ¦ "%#q" ¦
  "%+q" ¦ "% x" ¦ "%3c|" ¦ "%-8t|" ¦ "%w" ¦ "%" ¦ "%#o" ¦ "%s %s"

date: "2006-01-02" ¦ "Jan 2, 2006 at 3:04pm (MST)" ¦ "02/01/06 15:04:05.000" ¦ "Monday" ¦ ""

when: (toDate "2006-01-02" "2024-02-29") ¦ 1700000000 ¦ 0 ¦ (int64 86400)

duration: "1h30m" ¦ "90s" ¦ "x" ¦ 3600 ¦ "-2h" ¦ "720h" ¦ 0 ¦ "1.5s" ¦ "100"

type: "string" ¦ "int" ¦ "map" ¦ "slice" ¦ "float64" ¦ "bool" ¦ "invalid" ¦ "int64" ¦ "ptr"

url: "http://u:p@h:80/p/a?q=1#f" ¦ "x" ¦ "//h" ¦ "mailto:a@b" ¦ "http://[::1]/"

path: "/a/b.txt" ¦ "a/../b" ¦ "" ¦ "x.tar.gz" ¦ "../x" ¦ "/" ¦ "a//b/" ¦ "."

file: "conf/a.ini" ¦ "conf/b.json" ¦ "missing" ¦ "README.md" ¦ "bin"

glob: "conf/*" ¦ "**" ¦ "*.md" ¦ "conf/{a,b}.*" ¦ "[" ¦ "conf/?.ini"

bytes: "\xff" ¦ "a\xffé" ¦ "\xe6\x97"

b64: "aGk=" ¦ "!" ¦ "w6k" ¦ "/w==" ¦ ""
""")

# What is refused, most of the time.
BAD_LITERALS = _pools(r"""
a: nil ¦ "\xff" ¦ 1_0i ¦ 99999999999999999999 ¦ 'ab'

s: nil ¦ 1 ¦ "\q" ¦ (list 1)

i: nil ¦ "1" ¦ 99999999999999999999 ¦ 1.5 ¦ 08 ¦ 1e40

c: -1 ¦ "3" ¦ nil ¦ 1.5 ¦ -5

k: 1 ¦ nil ¦ true

m: nil ¦ (list) ¦ "m"

l: nil ¦ "l" ¦ dict ¦ 3

t: nil ¦ "t" ¦ (list nil)

regex: "(" ¦ "a{2,1}" ¦ "[z-a]" ¦ `\8` ¦ "*" ¦ `(?<n>x)` ¦ `a**` ¦ `(?P<1>)`

version: "x.y" ¦ "01.2.3" ¦ "" ¦ "1.2.3.4" ¦ "1.-1"

constraint: "<" ¦ "" ¦ ">=x" ¦ "1.2.3.4" ¦ ">1 <"

url: ":x" ¦ "%zz" ¦ "http://[::1" ¦ "http://h:port/"

json: `{a}` ¦ `{"a":1,}` ¦ `[1 2]` ¦ `"\x"` ¦ `01`
""")

# Below `.Values`.
PATHS = _pools(r"""
s: name ¦ image ¦ text ¦ multi ¦ global.env ¦ deep.s

i: replicas ¦ port ¦ big

f: ratio ¦ tiny

b: enabled ¦ debug

l: nums ¦ items ¦ mixed

t: hosts

m: labels ¦ config ¦ deep ¦ deep.a ¦ global ¦ empty

a: odd ¦ none ¦ missing ¦ config.a ¦ config.name ¦ deep.a.b ¦ imported ¦ odd2 ¦ name ¦ replicas ¦
  mixed ¦ labels ¦ enabled ¦ ratio ¦ empty ¦ hosts ¦ kid
""")

# Beside `.Values`.
OBJECTS = _pools(r"""
s: Release.Name ¦ Release.Namespace ¦ Release.Service ¦ Chart.Name ¦ Chart.Version ¦
  Chart.AppVersion ¦ Template.Name ¦ Template.BasePath ¦ Chart.Description ¦ Chart.Type ¦
  Capabilities.KubeVersion.Version ¦ Capabilities.KubeVersion.Major ¦ Chart.APIVersion ¦
  Capabilities.KubeVersion.GitVersion ¦ Capabilities.KubeVersion ¦
  Capabilities.HelmVersion.Version

i: Release.Revision

f: Values.ratio ¦ Values.tiny

b: Release.IsInstall ¦ Release.IsUpgrade ¦ Chart.IsRoot ¦ Chart.Deprecated

l: Chart.Maintainers ¦ Chart.Dependencies

t: Chart.Keywords ¦ Chart.Sources

m: Values ¦ Chart ¦ Release ¦ Chart.Annotations ¦ Template ¦ Values.labels

a: Chart.Missing ¦ Release.Missing ¦ Nope ¦ Chart.name ¦ Template.Nope ¦ Values.Values ¦
  Chart.Maintainers ¦ Chart.AppVersion ¦ Release.Revision ¦ Subcharts.none ¦ Values.name
""")

# What fails, often.
RISKY = _pools(r"""
paths: deep.a.b.c ¦ missing.a ¦ name.x ¦ kid.name ¦ kid.config ¦ items.x ¦ replicas.y ¦ none.z ¦
  odd.x ¦ labels.a.b ¦ hosts.a ¦ config.a.b.c ¦ enabled.x ¦ ratio.x ¦ missing.a.b

objects: Capabilities.Missing ¦ Files.Missing ¦ Nope.x ¦ Subcharts.none.Chart ¦ Chart.Name.x ¦
  Capabilities.KubeVersion.Nope ¦ Release.Name.x ¦ Subcharts.kid.Chart.Name ¦ Chart.Version.y ¦
  Subcharts.kid.Values.name ¦ Files.x.y ¦ Capabilities.APIVersions.Has.x ¦ Chart.Missing.x
""")

# What makes sure of a type.
GUARDS = _pools(r"""
s: toString ¦ toString ¦ default `d` | toString ¦ toString | trunc 20 ¦ quote

i: int ¦ int64 ¦ int

f: float64

b: empty ¦ not ¦ empty | not

l: default list

t: default list ¦ toStrings ¦ toStrings | sortAlpha

m: default dict
""")

# result, name, arguments; a star says that the last may come again, `!` that it often fails.
FUNCTIONS = tuple(
    tuple(line.split())
    for line in """
s quote bytes
s quote a *
s toJson bytes
s toYaml bytes
s b64enc bytes
s printf format bytes
s trunc c bytes
s upper bytes
s snakecase bytes
s kebabcase bytes
s swapcase bytes
s cat bytes bytes
i len bytes
s squote a *
s upper s
s lower s
s title s
s untitle s
s trim s
s trimAll s s
s trimSuffix s s
s trimPrefix s s
s replace s s s
s trunc c s
s substr c c s
s nospace s
s initials s
s repeat c s
s indent c s
s nindent c s
s wrap c s
s wrapWith c s s
s abbrev c s
s abbrevboth c c s
s swapcase s
s snakecase s
s camelcase s
s kebabcase s
s plural s s c
s cat a *
s print a *
s println a *
s printf format a *
s printf format s
s printf format i
s printf format f
s printf format a a
s toString a
s toYaml a
s toYaml m
s toYaml l
s toYaml s
s toYamlPretty a
s toYamlPretty m
s toJson a
s toJson m
s toRawJson a
s toPrettyJson a
s toToml m
!s toToml a
s join s l
s join s t
s join s a
s html a
s js a
s urlquery a *
s b64enc s
s b64dec b64
s b32enc s
s sha256sum s
s sha1sum s
!s adler32sum s
s regexFind regex s
s regexReplaceAll regex s replacement
s regexReplaceAllLiteral regex s replacement
s regexQuoteMeta s
s mustRegexReplaceAll regex s replacement
s kindOf a
s typeOf a
s default s a
s default s s
s coalesce a s *
s ternary s s b
s required s a
s required s s
s date date when
s dateInZone date when s
s duration duration
s durationRound duration
s htmlDate when
s base path
s dir path
s clean path
s ext path
s osBase path
s osDir path
s toDecimal s
s get m k
s .Files.Get file
s (.Files.Glob|glob).AsConfig
s (.Files.Glob|glob).AsSecrets
s fail s
!s index t c
s index m k
!s slice s c c
s first t
s urlJoin m
s seq c
s seq c c
s seq c c c
i len a
i len s
i len m
i len l
i int a
i int s
i int64 a
i int f
i atoi s
i add i *
i add a *
i add1 a
i sub i i
i mul i i *
!i div i i
!i mod i i
i max i i *
i min a a *
i ceil f
i floor f
i unixEpoch when
i toDecimal s
f addf f f *
f subf f f
f mulf f a
!f divf f f
f round f c
f float64 a
f float64 s
f maxf f f
f ceil a
f round a c
!b eq a a
b eq s s
b eq i i
!b eq a a a
!b ne a a
b lt i i
b lt s s
b gt f f
!b le a a
b ge i i
b not a
b and b b *
b or b b
b empty a
b contains s s
b hasPrefix s s
b hasSuffix s s
b has a l
b hasKey m k
b kindIs type a
b typeIs type a
b typeIsLike type a
b deepEqual a a
b regexMatch regex s
b mustRegexMatch regex s
b semverCompare constraint version
b any a *
b all a *
b isAbs path
b .Capabilities.APIVersions.Has s
l list a *
l tuple a *
l concat l l
l append l a
l mustAppend l a
l prepend l a
l rest l
l initial l
l reverse l
!l mustReverse a
l uniq l
!l uniq a
l without l a
l compact l
!l slice l c c
l chunk c l
l until c
l untilStep c c c
l fromJsonArray json
l fromYamlArray yaml
l dig k k l m
t sortAlpha t
t sortAlpha l
!t sortAlpha a
t splitList s s
t regexFindAll regex s c
t regexSplit regex s c
t toStrings l
t toStrings a
t .Files.Lines file
t keys m *
m dict
m dict k a
m dict k a k a
!m dict k a k
m dict s a
m set m k a
m unset m k
m merge m m
m mergeOverwrite m m
m mustMerge m m
m pick m k
m omit m k *
m deepCopy m
m mustDeepCopy a
m fromJson json
m fromYaml yaml
m fromToml yaml
m split s s
m splitn s c s
m urlParse url
m default m a
m semver version
m dict s a s a
!a index a a
!a index a a a
!a index l c
a index m k
a index m k k
a first l
a last l
!a first a
!a mustLast a
a get m k
a dig k a m
!a dig k k a m
a default a a
a coalesce a a *
a ternary a a b
a and a a *
a or a a *
a fromJson json
a mustFromJson json
a fromYaml yaml
a deepCopy a
a pluck k m
!a call a
!a call a a
a lookup s s s s
a required s a
a tuple a
a int a
a semver version
""".strip().splitlines()
)
