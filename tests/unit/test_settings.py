from pathlib import Path

import pytest

from whipstaff.errors import InvalidSpec
from whipstaff.settings import Settings


def test_nothing_set_gives_the_defaults():
    assert Settings.from_environment({"PATH": "/bin"}) == Settings()


def test_each_kind_of_field_is_read():
    settings = Settings.from_environment(
        {
            "WHIPSTAFF_WORKER_COUNT": "3",
            "WHIPSTAFF_LEASE_SECONDS": "1.5",
            "WHIPSTAFF_CACHE_FOLDER": "/data",
            "WHIPSTAFF_STORAGE_DRIVER": "configmap",
            "WHIPSTAFF_WATCH_NAMESPACES": "shop, blog,",
            "WHIPSTAFF_ALLOW_LOOPBACK_REPOSITORIES": "false",
        }
    )
    assert settings == Settings(
        worker_count=3,
        lease_seconds=1.5,
        cache_folder=Path("/data"),
        storage_driver="configmap",
        watch_namespaces=("shop", "blog"),
        allow_loopback_repositories=False,
    )


@pytest.mark.parametrize(
    ("name", "value"), [("WORKER_COUNT", "many"), ("ALLOW_LOOPBACK_REPOSITORIES", "perhaps")]
)
def test_a_variable_that_cannot_be_read_is_named(name, value):
    with pytest.raises(InvalidSpec, match=f"WHIPSTAFF_{name}"):
        Settings.from_environment({f"WHIPSTAFF_{name}": value})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("STORAGE_DRIVER", "Secret", "not secret or configmap"),
        ("CONCURRENCY", "0", "more than 0"),
        ("HISTORY_LIMIT", "-1", "at least 0"),
        ("LEASE_SECONDS", "nan", "more than 0"),
        ("PROBE_PORT", "99999", "up to 65535"),
        ("ADMISSION_PORT", "99999", "up to 65535"),
    ],
)
def test_what_nobody_can_mean_is_refused(name, value, why):
    with pytest.raises(InvalidSpec, match=f"WHIPSTAFF_{name} is .*{why}"):
        Settings.from_environment({f"WHIPSTAFF_{name}": value})


def test_zero_counts_where_it_means_something():
    settings = Settings.from_environment({"WHIPSTAFF_HISTORY_LIMIT": "0"})
    assert settings == Settings(history_limit=0)


def test_a_webhook_needs_a_name_to_be_called_by():
    with pytest.raises(InvalidSpec, match="WHIPSTAFF_ADMISSION_NAMES is empty"):
        Settings(admission_port=9443, admission_names=())
