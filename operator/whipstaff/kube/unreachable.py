"""What is said of a server that does not answer: which one, and why."""

import os
import ssl

UNREACHABLE = "kubernetes cluster unreachable"  # how a refusal begins that says so


def unreachable(server: str, proxy: str, error: Exception) -> str:
    """Return the sentence; `proxy` is a URL without its login, empty where there is none."""
    through = f" through {proxy}" if proxy else ""
    return f"{UNREACHABLE}: {server}{through}: {_why(error)}"


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLError() if error.strerror:
            return error.strerror.lower()
        case OSError() if error.errno and error.errno > 0:  # asyncio words them in its own way
            return os.strerror(error.errno).lower()
        case OSError() if error.strerror:
            return error.strerror.lower()
        case _:
            return str(error) or type(error).__name__
