"""A function of a domain and the method of the contract that carries it: converted by their names and types.

- A parameter is the request's field of its name; `first` and `after` are `page_size` and `page_token`; the `actor`
  travels in the metadata.
- An entity that has no field of its name is the request's resource: the one message field that is left. With an
  update_mask, it holds the changes, and `product_id` is the `id` in the resource `product`.
- The result is the response's one field; a Page is its repeated field and next_page_token.

Raises ContractError when the module is imported and something does not fit. Needs no Django.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from types import GenericAlias, NoneType
from typing import Any, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, MethodDescriptor

from framework.grpc.contract import changes_nothing
from framework.pages import Keyset, Page
from framework.seam.codec import links_of, owner_of
from framework.seam.conversions import ContractError, is_entity
from framework.seam.links import UNSENDABLE, Link, Links, excepting
from framework.seam.masks import Mask
from framework.seam.presence import MISSING, Slot

MAX_IDS = 500  # of one call; clients split what is more
UNKNOWN = Keyset("", "")  # of a page that has arrived: the client knows it
WIRE_NAMES = {"first": "page_size", "after": "page_token"}


class Method:
    """Converts the arguments and results of one function.

    `request(*args, **kwargs)` is the message of a call, `arguments(request)` the way back, without the actor;
    `response(result)` and `result(response)` likewise. They raise Invalid with each bad value.
    """

    request: Callable[..., Any]
    arguments: Callable[[Any], dict[str, Any]]
    response: Callable[[Any], Any]
    result: Callable[[Any], Any]

    def __init__(self, function: Callable[..., Any], contract: FileDescriptor, service: str, name: str) -> None:
        self.name = name
        self._owner = owner_of(function)
        self._hints = get_type_hints(function)
        self._parameters = inspect.signature(function).parameters
        self._method = _find(contract, service, name)
        self.reads = changes_nothing(f"/{self._method.containing_service.full_name}/{name}")
        self.for_actor = "actor" in self._parameters
        self.is_batch = get_origin(self._hints["return"]) is dict and len(self._parameters) == 1
        self.is_page = get_origin(self._hints["return"]) is Page
        self._sent = self._match_request()
        self.paths = self._sent.paths
        self.request = self._sent.compile(self._request_source(), "request")
        self.arguments = self._sent.compile(self._arguments_source(), "arguments")
        self._compile_response()

    def _match_request(self) -> Links:
        slots = [Slot(name, self._hints[name], _default(p)) for name, p in self._parameters.items() if name != "actor"]
        links = links_of(self._owner, slots, self._method.input_type, sent=True)
        fields = dict(self._method.input_type.fields_by_name)
        others = []
        for slot in slots:
            field = fields.pop(WIRE_NAMES.get(slot.name, slot.name), None)
            if field is None:
                others.append(slot)
            else:
                links.add(slot, field)
        self._match_resource(links, others, fields)
        if self.is_batch:
            _limit(links)
        for name in fields:
            self._owner.refuse(links.message, f"{self._owner.name} has no parameter {name!r}, which the message has.")
        links.check_complete()
        return links

    def _match_resource(self, links: Links, slots: list[Slot], fields: dict[str, FieldDescriptor]) -> None:
        entity = next((slot for slot in slots if is_entity(slot.hint)), None)
        mask = fields.pop("update_mask", None)
        if entity is None or len(fields) != 1:
            return
        ((_, resource),) = fields.items()
        fields.clear()
        if mask is None:
            links.add(entity, resource)
        else:
            links.found += _masked(links, entity, resource, {slot.name for slot in slots})

    def _request_source(self) -> str:
        links = self._sent
        links.names.update(build=links.kind, unsendable=links.unsendable)
        fields = ", ".join(f"{link.field}={link.encode}" for link in links.found)
        return f"""
def request({self._signature()}):
    try:
        return build({fields})
    except {excepting(UNSENDABLE)}:
        raise unsendable({{{", ".join(f"{name!r}: {name}" for name in links.slots)}}}) from None
"""

    def _signature(self) -> str:
        """The function's parameters, by which Python itself refuses what does not fit."""
        words, keywords = [], False
        for name, parameter in self._parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY and not keywords:
                words.append("*")
                keywords = True
            default = "" if parameter.default is parameter.empty else f"={self._sent.names.add(parameter.default)}"
            words.append(name + default)
        return ", ".join(words)

    def _arguments_source(self) -> str:
        links = self._sent
        links.names.update(unreadable=links.unreadable)
        checks = "\n        ".join(text for link in links.found if not link.slots for text in link.decode)
        values = ", ".join(f"{name!r}: {text}" for name, text in links.decoders.items())
        return f"""
def arguments(m):
    try:
        {checks}
        return {{{values}}}
    except ValueError:
        raise unreadable(m) from None
"""

    def _compile_response(self) -> None:
        hint, message = self._hints["return"], self._method.output_type
        paged = self.is_page
        links = links_of(self._owner, list(_results(hint)), message, sent=False)
        plain = [field for field in message.fields if not (paged and field.name == "next_page_token")]
        if len(plain) != (hint is not NoneType) or (paged and len(message.fields) != 2):
            self._owner.refuse(message, "the response must have one field, for the result (a page also its token).")
        for slot in links.slots.values():
            links.add(slot, message.fields_by_name["next_page_token"] if slot.name == "next_token" else plain[0])
        links.names.update(build=links.kind, new=tuple.__new__, page=Page, unknown=UNKNOWN)
        names, values = ", ".join(links.slots), ", ".join(links.decoders.values())
        encode = ", ".join(f"{link.field}={link.encode}" for link in links.found)
        unpacked = f"{names}, _ = result" if paged else ""
        self.response = links.compile(f"def response(result):\n    {unpacked}\n    return build({encode})", "response")
        self.result = links.compile(
            f"def result(m):\n    return {f'new(page, ({values}, unknown))' if paged else values or None}", "result"
        )


def _find(contract: FileDescriptor, service: str, name: str) -> MethodDescriptor:
    try:
        return contract.services_by_name[service].methods_by_name[name]
    except KeyError:
        raise ContractError(f"{contract.name} has no method {service}.{name}.") from None


def _results(hint: Any) -> Iterator[Slot]:
    if get_origin(hint) is Page:
        (item,) = get_args(hint)
        yield Slot("items", GenericAlias(list, item))
        yield Slot("next_token", str)
    elif hint is not NoneType:
        yield Slot("result", hint)


def _masked(links: Links, entity: Slot, resource: Any, names: set[str]) -> Iterator[Link]:
    """The links of a resource and its update_mask."""
    mask = Mask(entity.hint, resource.message_type)
    name, key = links.names.add(mask), f"{resource.name}_id"
    others, slots, decode = "", [entity.name], [f"{name}.received(m.{resource.name}, m.update_mask)"]
    if key in names:
        others, slots, decode = f", id={key}", [*slots, key], [*decode, f"m.{resource.name}.id"]
    paths = {slot: f"{resource.name}.{path}" for slot, path in mask.paths.items()}
    encode = f"{name}.sent({entity.name}{others})"
    yield Link(resource.name, tuple(slots), encode, tuple(decode), paths)
    yield Link("update_mask", (), f"{name}.mask({entity.name})", (f"{name}.check(m.update_mask)",), {})


def _limit(links: Links) -> None:
    """Have a request with more than MAX_IDS ids refused."""
    (link,) = links.found
    links.found = [link._replace(decode=(f"{links.names.add(_limited)}({link.decode[0]})",))]


def _limited(identifiers: Sequence[Any]) -> Sequence[Any]:
    if len(identifiers) > MAX_IDS:
        raise ValueError(f"must have 0 to {MAX_IDS} elements, not {len(identifiers)}")
    return identifiers


def _default(parameter: inspect.Parameter) -> Any:
    return MISSING if parameter.default is parameter.empty else parameter.default
