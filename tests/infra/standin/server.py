"""The stand-in on a socket, speaking as much of Terraform's plugin protocol as a provider without a cloud needs."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import msgspec

from tests.infra.standin import planning
from tests.infra.standin.schema import Attribute, Block, ProviderSchema

ADDRESS: Final = "registry.terraform.io/hashicorp/google"
PROJECT_NUMBER: Final = "123456789012"

# grpcio-tools compiles the protocol when it is imported, so that no generated code is kept.
pb: Any = grpc.protos("tests/infra/standin/tfplugin6.proto")


@contextmanager
def serving(schema: ProviderSchema, socket: Path) -> Iterator[str]:
    """Answer Terraform on a socket; what is yielded belongs into `TF_REATTACH_PROVIDERS`."""
    server = grpc.server(ThreadPoolExecutor(4))
    service = pb.DESCRIPTOR.services_by_name["Provider"]
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, _handlers(_Provider(schema))),))
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    attach = {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": {"Network": "unix", "String": str(socket)},
    }
    try:
        yield json.dumps({ADDRESS: attach})
    finally:
        server.stop(grace=None).wait()


class _Provider:
    """The answers. A method takes the protocol's request and returns the fields of its response."""

    def __init__(self, schema: ProviderSchema) -> None:
        self.schema = schema
        self.project = ""

    def get_provider_schema(self, _: Any) -> dict[str, Any]:
        return {
            "provider": _schema(self.schema.provider),
            "resource_schemas": {name: _schema(block) for name, block in self.schema.resources.items()},
            "data_source_schemas": {name: _schema(block) for name, block in self.schema.data_sources.items()},
        }

    def validate_provider_config(self, _: Any) -> dict[str, Any]:
        return {}

    def configure_provider(self, asked: Any) -> dict[str, Any]:
        self.project = _value(asked.config)["project"]
        return {}

    def validate_resource_config(self, asked: Any) -> dict[str, Any]:
        found = planning.faults(self.schema.resources[asked.type_name], _value(asked.config))
        return {"diagnostics": [pb.Diagnostic(severity="ERROR", summary=fault.message, attribute=_path(fault.path)) for fault in found]}

    def validate_data_resource_config(self, _: Any) -> dict[str, Any]:
        return {}

    def upgrade_resource_state(self, asked: Any) -> dict[str, Any]:
        return {"upgraded_state": pb.DynamicValue(json=asked.raw_state.json)}

    def import_resource_state(self, asked: Any) -> dict[str, Any]:
        block = self.schema.resources[asked.type_name]
        found = planning.existing(asked.type_name, asked.id)
        known = {name: found.get(name, [] if attribute.nested else None) for name, attribute in block.attributes.items()}
        state = planning.applied(planning.planned(block, known, self.project), block.type, asked.id)
        return {"imported_resources": [{"type_name": asked.type_name, "state": _dynamic(state)}]}

    def read_resource(self, asked: Any) -> dict[str, Any]:
        return {"new_state": asked.current_state}

    def plan_resource_change(self, asked: Any) -> dict[str, Any]:
        block = self.schema.resources[asked.type_name]
        before, proposed = _value(asked.prior_state), _value(asked.proposed_new_state)
        if proposed is None:
            return {"planned_state": asked.proposed_new_state, "legacy_type_system": True}
        plan = planning.planned(block, proposed, self.project)
        replaced = [] if before is None else [_path(path) for path in planning.replacements(block, before, plan)]
        return {"planned_state": _dynamic(plan), "requires_replace": replaced, "legacy_type_system": True}

    def apply_resource_change(self, asked: Any) -> dict[str, Any]:
        plan = _value(asked.planned_state)
        if plan is None:
            return {"new_state": asked.planned_state, "legacy_type_system": True}
        seed = f"{asked.type_name} {asked.planned_state.msgpack!r}"
        new = planning.applied(plan, self.schema.resources[asked.type_name].type, seed)
        return {"new_state": _dynamic(new), "legacy_type_system": True}

    def read_data_source(self, asked: Any) -> dict[str, Any]:
        config = _value(asked.config)
        known = {"number": PROJECT_NUMBER, "project_id": config.get("project_id") or self.project}
        return {"state": _dynamic({name: known.get(name, f"made-up-{name}") for name in config})}

    def stop_provider(self, _: Any) -> dict[str, Any]:
        return {}


def _handlers(provider: _Provider) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
    """A handler for each method of the protocol, found by its name in snake case."""
    handlers = {}
    for method in pb.DESCRIPTOR.services_by_name["Provider"].methods:
        request, response = (getattr(getattr(pb, method.name), side) for side in ("Request", "Response"))
        answer = getattr(provider, "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method.name).lstrip("_"))
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            _answering(answer, response), request_deserializer=request.FromString, response_serializer=response.SerializeToString
        )
    return handlers


def _answering(answer: Callable[[Any], dict[str, Any]], response: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda request, _: response(**answer(request))


def _value(dynamic: Any) -> Any:
    return msgspec.msgpack.decode(dynamic.msgpack)


def _dynamic(value: Any) -> Any:
    return pb.DynamicValue(msgpack=msgspec.msgpack.encode(value))


def _path(path: planning.Path) -> Any:
    steps = [{"element_key_int": step} if isinstance(step, int) else {"attribute_name": step} for step in path]
    return pb.AttributePath(steps=[pb.AttributePath.Step(**step) for step in steps])


def _schema(block: Block) -> Any:
    return pb.Schema(block=_block(block))


def _block(block: Block) -> Any:
    plain = [_attribute(name, attribute) for name, attribute in block.attributes.items() if not attribute.nested]
    nested = [_nested(name, attribute) for name, attribute in block.attributes.items() if attribute.nested]
    return pb.Schema.Block(attributes=plain, block_types=nested)


def _attribute(name: str, attribute: Attribute) -> Any:
    flags = {word: True for word in attribute.words if word != "new"}
    return pb.Schema.Attribute(name=name, type=json.dumps(attribute.type).encode(), **flags)


def _nested(name: str, attribute: Attribute) -> Any:
    assert attribute.block is not None  # or it would not be nested
    nesting = "SET" if attribute.is_set else "LIST"
    return pb.Schema.NestedBlock(
        type_name=name, block=_block(attribute.block), nesting=nesting, min_items=attribute.least, max_items=attribute.most
    )
