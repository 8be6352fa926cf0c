"""Our command, as it is run in a namespace of a control plane."""

from click.testing import CliRunner

from whipstaff.cli.main import main


def our_command(control_plane, namespace, environment=None):
    """Return what runs it; that fails the test unless the command ends as it should."""

    def ours(*arguments, code=0):
        told = CliRunner().invoke(
            main,
            [*arguments, "-n", namespace],
            prog_name="whipstaff",
            env={**control_plane.environment(), **(environment or {})},
        )
        assert told.exit_code == code, told.output
        return told

    return ours
