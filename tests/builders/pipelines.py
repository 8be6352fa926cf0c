"""Pipelines as something to run: the shell steps of a workflow and of a Jenkinsfile."""

import re
import subprocess
from dataclasses import dataclass, field

import yaml

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_STEP = re.compile(
    r"sh(?:\((?P<flags>[^']*))?\s*(?P<quote>'''|')(?P<script>.*?)(?P=quote)", re.DOTALL
)
_STAGE = re.compile(r"stage\('(\w+)'\)|post \{")


@dataclass
class Workflow:
    """A workflow of GitHub Actions, run step by step as a runner does; `context` is GitHub's."""

    path: object
    folder: object
    environment: dict
    context: dict
    ran: list = field(default_factory=list)  # the names of steps
    summary: str = ""

    def job(self, name):
        """Run a job; return the exit code of the step that failed, or 0."""
        text = self.path.read_text(encoding="utf-8")
        workflow = yaml.safe_load(text)
        job = workflow["jobs"][name]
        known = dict(self.environment) | workflow["env"]
        files = {key: self.folder.parent / key.lower() for key in _FILES}
        for file in files.values():
            file.write_text("", encoding="utf-8")
        known |= {key: str(file) for key, file in files.items()}
        known["RUNNER_TEMP"] = str(self.folder.parent)
        failed = 0
        for step in job["steps"]:
            wanted = step.get("if", "") == "failure()"
            if "run" not in step or wanted != bool(failed):
                continue
            self.ran.append(step["name"])
            given = {key: self._meant(value) for key, value in step.get("env", {}).items()}
            code = self._run(step["run"], known | given)
            failed = failed or code
            for line in _lines(files["GITHUB_ENV"]):
                known |= dict([line.split("=", 1)])
            if "id" in step:
                for line in _lines(files["GITHUB_OUTPUT"]):
                    key, value = line.split("=", 1)
                    self.context[f"steps.{step['id']}.outputs.{key}"] = value
        for key, value in job.get("outputs", {}).items():
            self.context[f"needs.{name}.outputs.{key}"] = self._meant(value)
        self.summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        return failed

    def _meant(self, value):
        return _EXPRESSION.sub(lambda found: self._value(found[1]), value)

    def _value(self, expression):
        known = (self.context.get(part.strip()) for part in expression.split("||"))
        return next((value for value in known if value), "")

    def _run(self, script, environment):
        shell = ["bash", "-e", "-c", script]
        self.last = _done(shell, self.folder, environment)
        return self.last.returncode


_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


@dataclass
class Jenkins:
    """The `sh` steps of a Jenkinsfile, by stage; what stands around them in Groovy is not run."""

    path: object
    folder: object
    environment: dict

    def steps(self, stage):
        """List the scripts of a stage in their order; those after all stages are `post`."""
        text = self.path.read_text(encoding="utf-8")
        heads = [*_STAGE.finditer(text)]
        for number, head in enumerate(heads):
            if (head[1] or "post") == stage:
                end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
                return [found["script"] for found in _STEP.finditer(text, head.end(), end)]
        raise KeyError(stage)

    def sh(self, script, **variables):
        """Run a script as Jenkins does; give what came of it."""
        return _done(["sh", "-xe", "-c", script], self.folder, self.environment | variables)


def _done(command, folder, environment):
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _lines(file):
    return file.read_text(encoding="utf-8").splitlines()
