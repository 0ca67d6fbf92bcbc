"""Who may use the app: those who know its secret, once they have said it.

The secret is a password that somebody chose, or a token that was drawn for this start and travels
in a link. A browser that said it once gets a pass to show with every request: the time it was
given, signed with a key that is derived from the secret. So passes end with the secret, and no
list of them is kept. Hosts are a matter of their own: app/door/hosts.py.
"""

import hashlib
import hmac
import re
import secrets
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from training.console import readable
from training.errors import ConfigError

# Guessed at the rate that `Tries` allows, eight random letters would last for centuries. But people
# do not choose at random.
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1000

# For how long a browser is remembered, in seconds: 30 days.
PASS_SECONDS = 30 * 86400

# scrypt's costs for sign-ins, some 50 ms and 16 MB (Percival and Josefsson, RFC 7914, section 2):
# who got hold of a pass would need them for every password they try on it.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}

_PASS = re.compile(r"(\d{1,12})\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Secret:
    """What those say who may use the app."""

    text: str
    in_links: bool  # a token, which a link may carry; a password never stands in an address


def new_token() -> Secret:
    """A token that nobody can guess."""
    return Secret(secrets.token_urlsafe(32), in_links=True)


def read_password(file: Path) -> Secret:
    """The password in a file: its one line.

    Raises:
        ConfigError: the file cannot be read, or no good password is in it.
    """
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise _unfit(file, f"cannot be read: {reason}") from None
    if not text.isprintable():
        raise _unfit(file, "has more than one line, or characters that cannot be typed")
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise _unfit(
            file,
            f"holds {len(text)} characters; a password has {SHORTEST_PASSWORD} at least and "
            f"{LONGEST_PASSWORD:,} at most",
        )
    return Secret(text, in_links=False)


class Access:
    """Tells who knows the secret, and who has said it before."""

    def __init__(self, secret: Secret) -> None:
        self.in_links = secret.in_links
        self._secret = _digest(secret.text)
        self._key = hashlib.scrypt(
            secret.text.encode(),
            salt=b"lookalike passes",
            **_SCRYPT,
        )

    def knows(self, said: str) -> bool:
        """Whether this is the secret; takes as long whatever was said."""
        return hmac.compare_digest(_digest(said), self._secret)

    def new_pass(self, *, now: float) -> str:
        """A pass for a browser; `now` is seconds since 1970."""
        given = str(int(now))
        return f"{given}.{self._signature(given)}"

    def admits(self, shown: str, *, now: float) -> bool:
        """Whether this is a pass that was given for this secret, and not too long ago."""
        match = _PASS.fullmatch(shown)
        if match is None or not hmac.compare_digest(match[2], self._signature(match[1])):
            return False
        return now - int(match[1]) < PASS_SECONDS

    def _signature(self, given: str) -> str:
        return hmac.new(self._key, given.encode(), "sha256").hexdigest()


class Tries:
    """Remembers wrong tries, so that nobody can try for long; one event loop's own.

    Passes are not tries: nobody guesses 256 bits, and who is signed in is never kept waiting.
    """

    def __init__(
        self, *, each: int = 10, together: int = 100, window_seconds: float = 60.0
    ) -> None:
        """Remember none yet.

        Args:
            each: wrong tries of one address within the window, after which it has to wait.
            together: the same of all addresses, for whoever has many.
            window_seconds: for how long a wrong try counts.
        """
        self._each = each
        self._together = together
        self._window_seconds = window_seconds
        self._wrong: deque[tuple[float, str]] = deque()  # bounded: who has to wait adds nothing

    def wait_seconds(self, address: str, *, now: float) -> float:
        """How long an address has to wait before it may try; 0 where it may now.

        Args:
            address: who wants to try.
            now: of a clock that never goes back.
        """
        while self._wrong and now - self._wrong[0][0] >= self._window_seconds:
            self._wrong.popleft()
        own = [at for at, whose in self._wrong if whose == address]
        ends = [
            times[-most] + self._window_seconds - now
            for times, most in ((own, self._each), ([at for at, _ in self._wrong], self._together))
            if len(times) >= most
        ]
        return max(ends, default=0.0)

    def wrong(self, address: str, *, now: float) -> None:
        """Count a wrong try."""
        self._wrong.append((now, address))


def _digest(text: str) -> bytes:
    # Of equal length whatever was said: comparing tells nothing of the secret's own.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _unfit(file: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the password file {readable(str(file))} {why}",
        hint="`(umask 077; openssl rand -base64 18 > FILE)` writes a good one",
    )
