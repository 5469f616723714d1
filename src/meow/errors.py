"""The errors of meow. A user's mistake is one of these: one line, exit code 2. Anything else is a bug."""


class MeowError(Exception):
    """Base of every error that meow raises on purpose. The message is one line that says what to do."""

    agreed: bool = False
    """Of several processes, another one says it."""


class ConfigError(MeowError, ValueError):
    """A setting that is unknown, of the wrong type, out of range or at odds with another one."""


class DataError(MeowError, ValueError):
    """A file, a row or a model that does not hold what it must; names the file and the line or id."""


class RunError(MeowError, RuntimeError):
    """A run that cannot start or go on: locked folder, other settings, NaN loss, a time limit."""


class OtherSettingsError(RunError):
    """A stage was made with other settings; `--force` sets its output aside and makes it anew."""
