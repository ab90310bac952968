"""Verifiers, rules and reward models of a user's own in a configuration: `type: my_package.my_module:MyVerifier`.

    with own_code():
        block = own("my_package.my_module:MyVerifier", {"least": 3}, "a verifier", ("verify", "verify_batch"))
    block.verify("2", "so 2")  # MyVerifier's

To name a class is to run its module, so that only those may who are asked for their own configuration: a command line
and the file that it names. Whoever reads a configuration from elsewhere, as the record in a run's folder, reads
it outside of `own_code`, and such a type is refused.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_serializer,
)
from pydantic_core import PydanticSerializationError, core_schema, to_jsonable_python

from hero_rl.errors import HeroError

__all__ = ["OrOwn", "Own", "own", "own_code"]

_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_allowed: ContextVar[bool] = ContextVar("hero_rl_own_code", default=False)


@contextmanager
def own_code() -> Iterator[None]:
    """While it lasts, configurations may name classes whose modules are imported: the user wrote them."""
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


class Own(BaseModel):
    """An object of a class that a configuration names, as a block of it.

    It has the object's public attributes. It is written, compared and made anew in another process by its settings
    as they were given: what the class makes of them need not be what it takes.

    Attributes:
        type: module and class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    _made: Any = PrivateAttr(default=None)
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _kind: tuple[str, tuple[str, ...]] = PrivateAttr(default=("", ()))

    @property
    def made(self) -> Any:
        """The object itself."""
        return self._made

    @model_serializer
    def _record(self) -> dict[str, Any]:
        return {"type": self.type, **to_jsonable_python(self._given)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and (self.type, self._given) == (other.type, other._given)

    def __hash__(self) -> int:
        return hash(self.type)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.type, self._given, *self._kind)


def own(path: str, settings: Mapping[str, Any], what: str, methods: tuple[str, ...]) -> Own:
    """Import a class, check it and its settings, and make the block.

    Args:
        path: `module:Class`; the module may also lie in the folder that the program was started in.
        settings: the arguments of the class, checked by its fields where it is a pydantic model, else by the signature
            and the annotations of its `__init__`.
        what: what it has to be, for messages.
        methods: of which it must have one.

    Raises:
        ValueError: the path names no such class, it is none of its kind, or a setting is unknown, missing or wrong, or
            cannot be written as it is given; the message names path and setting.
    """
    made_by = _class_of(path)
    if not any(callable(getattr(made_by, name, None)) or name in _fields(made_by) for name in methods):
        raise ValueError(f"{path} is not {what}: it has no {' or '.join(methods)}")
    for name, value in settings.items():
        _refuse_unwritable(f"{path}: {name}", value)
    given = deepcopy(dict(settings))
    made = _model(path, made_by, settings) if _is_model(made_by) else _plain(path, made_by, settings)
    names = [name for name in dir(made) if not (name.startswith("_") or hasattr(Own, name) or name == "type")]
    block = type(made_by.__name__, (Own,), {"__module__": __name__} | {name: _part(name) for name in names})
    found = block(type=path)
    found._made, found._given, found._kind = made, given, (what, methods)
    return found


def _refuse_unwritable(where: str, value: Any) -> None:
    """Raise if a setting would not come back from a run's record, or from a command line for another process."""
    for secret in _secrets_in(value):
        raise ValueError(
            f"{where}: a {type(secret).__name__} is written as asterisks, and would be lost; give the name of an "
            "environment variable that the class reads, or plain text, which is written as it is"
        )
    try:
        to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise ValueError(f"{where}: cannot be written as JSON: {error}") from None


def _secrets_in(value: Any) -> Iterator[Any]:
    if isinstance(value, (SecretStr, SecretBytes)):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _secrets_in(each)


def _again(path: str, settings: dict[str, Any], what: str, methods: tuple[str, ...]) -> Own:
    """A block that another process of this program has made, and was allowed to."""
    return own(path, settings, what, methods)


def _part(name: str) -> property:
    return property(lambda block: getattr(block.made, name))


def _class_of(path: str) -> type:
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} names no class; it looks like my_package.my_module:MyClass")
    module, _, name = path.partition(":")
    try:
        found = getattr(_imported(module), name)
    except AttributeError:
        raise ValueError(f"{path}: {module} has no {name}") from None
    except HeroError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split()) or "no more is known"
        raise ValueError(f"{path}: importing {module} ends in {type(error).__name__}: {said}") from error
    if not inspect.isclass(found):
        raise ValueError(f"{path} is a {type(found).__name__}, not a class")
    return found


def _imported(module: str) -> Any:
    """A module, also of the folder that the program was started in, which is then looked into after all others."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        here = str(Path.cwd())
        if error.name != module.partition(".")[0] or here in sys.path:
            raise
        sys.path.append(here)  # for good: the processes of a verifier import it, too
        return importlib.import_module(module)


def _is_model(made_by: type) -> bool:
    return issubclass(made_by, BaseModel)


def _fields(made_by: type) -> Mapping[str, Any]:
    return made_by.model_fields if issubclass(made_by, BaseModel) else {}


def _model(path: str, made_by: Any, settings: Mapping[str, Any]) -> Any:
    """An object of a pydantic model."""
    unknown = sorted(set(settings) - set(made_by.model_fields) - _aliases(made_by))
    if unknown and made_by.model_config.get("extra") != "allow":
        raise ValueError(f"{path}: {unknown[0]}: unknown setting; known here: {_listed(made_by.model_fields)}")
    try:
        return made_by(**settings)
    except ValidationError as error:
        raise ValueError(_mistakes(path, error)) from None


def _aliases(made_by: Any) -> set[str]:
    return {field.alias for field in made_by.model_fields.values() if field.alias}


def _plain(path: str, made_by: type, settings: Mapping[str, Any]) -> Any:
    """An object of any other class, its arguments of the kinds that its signature says."""
    signature = inspect.signature(made_by) if made_by.__init__ is not object.__init__ else inspect.Signature()
    try:
        signature.bind(**settings)
    except TypeError as error:
        raise ValueError(f"{path}: {error}; known here: {_listed(signature.parameters)}") from None
    hints = _hints(made_by)
    arguments = dict(settings)
    for name, value in arguments.items():
        if name in hints:
            try:
                arguments[name] = TypeAdapter(hints[name], config=_LOOSE).validate_python(value)
            except ValidationError as error:
                raise ValueError(_mistakes(path, error, name)) from None
    try:
        return made_by(**arguments)
    except HeroError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "no more is known"
        raise ValueError(f"{path}: making it ends in {type(error).__name__}: {said}") from error


_LOOSE = ConfigDict(arbitrary_types_allowed=True)


def _hints(made_by: Any) -> dict[str, Any]:
    """The annotations of the arguments, as far as they can be worked out."""
    try:
        return inspect.get_annotations(made_by.__init__, eval_str=True)
    except Exception:
        return {}


def _mistakes(path: str, error: ValidationError, name: str = "") -> str:
    said = []
    for mistake in error.errors():
        where = ".".join(filter(None, [name, *map(str, mistake["loc"])]))
        said.append(f"{path}: {where}: {mistake['msg'].removeprefix('Value error, ')}")
    return "; ".join(said)


def _listed(names: Any) -> str:
    return ", ".join(sorted(set(names) - {"type"})) or "none"


class OrOwn:
    """Beside a union of blocks in `Annotated`: a `type` with a colon names a class of the user's own.

    Args:
        what: what that has to be, for messages.
        methods: of which it must have one.
        check: looks at the block, and raises a `ValueError` if it will not do.
    """

    def __init__(
        self, what: str, methods: tuple[str, ...], check: Callable[[Any], object] = lambda block: None
    ) -> None:
        self.what, self.methods, self.check = what, methods, check

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """The union's schema, with this before it."""
        schema = handler(source)
        written = core_schema.wrap_serializer_function_ser_schema(_written, schema=schema, info_arg=True)
        return core_schema.no_info_wrap_validator_function(partial(self._read), schema, serialization=written)

    def _read(self, given: Any, otherwise: Callable[[Any], Any]) -> Any:
        if isinstance(given, Own):
            return given
        path = given.get("type") if isinstance(given, Mapping) else None
        if not isinstance(path, str) or ":" not in path:
            return otherwise(given)
        if not _allowed.get():
            raise ValueError(
                f"type {path} would run code. Only your own configuration or command line may name a class; this one "
                "was read from elsewhere, as the record of a run or an evaluation is"
            )
        block = own(path, {name: value for name, value in given.items() if name != "type"}, self.what, self.methods)
        try:
            self.check(block)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from None
        return block


def _written(value: Any, otherwise: Callable[[Any], Any], info: Any) -> Any:
    return value.model_dump(mode=info.mode) if isinstance(value, Own) else otherwise(value)
