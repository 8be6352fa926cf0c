import pytest

from whipstaff.sources.oci_challenges import challenges


def read(*headers):
    return [(one.scheme, dict(one.parameters)) for one in challenges(headers)]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        pytest.param(
            'Bearer realm="https://a/token",service="r",scope="repository:x:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://a/token",
                        "service": "r",
                        "scope": "repository:x:pull,push",
                    },
                )
            ],
            id="commas inside quotes",
        ),
        pytest.param("BEARER Realm = x", [("bearer", {"realm": "x"})], id="spelled otherwise"),
        pytest.param(r'Basic realm="a \"b\""', [("basic", {"realm": 'a "b"'})], id="escapes"),
        pytest.param(
            'Basic realm="a", Bearer realm="b"',
            [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})],
            id="two in one header",
        ),
        pytest.param('Basic realm="a", realm="b"', [("basic", {"realm": "a"})], id="said twice"),
        pytest.param('realm="x"', [], id="no scheme"),
        pytest.param('Basic realm="a', [("basic", {"realm": ""}), ("a", {})], id="no end"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_a_challenge_is_read(header, found):
    assert read(header) == found


def test_each_header_may_hold_another_challenge():
    assert [scheme for scheme, _ in read("Negotiate", 'Bearer realm="x"')] == [
        "negotiate",
        "bearer",
    ]
