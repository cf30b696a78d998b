"""A plan, as far as questions are asked of it. Works on a real plan as well as on one made offline."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

ACTS: Final = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that will be there when the plan is applied. What only the cloud can tell is not in `values`."""

    address: str
    type: str
    key: str | None
    values: Mapping[str, Any]

    def __getitem__(self, path: str) -> Any:
        """A value by its path, such as `service_config.0.timeout_seconds`; `None` where there is none or it is not known."""
        value: Any = self.values
        for step in path.split("."):
            if isinstance(value, list):
                value = value[int(step)] if int(step) < len(value) else None
            elif isinstance(value, Mapping):
                value = value.get(step)
            else:
                return None
        return value


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be there, and what the configuration says in so many words."""

    resources: tuple[Resource, ...]
    variables: Mapping[str, Any]
    configuration: Mapping[str, Any]
    changes: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, shown: Mapping[str, Any]) -> "Plan":
        """From what `terraform show -json` prints."""
        return cls(
            resources=tuple(_resources(shown["planned_values"]["root_module"])),
            variables={name: variable.get("value") for name, variable in shown["variables"].items()},
            configuration=shown["configuration"]["root_module"],
            changes={
                change["address"]: frozenset(change["change"]["actions"])
                for change in shown.get("resource_changes", ())
                if not set(change["change"]["actions"]).isdisjoint(ACTS)
            },
        )

    def of(self, kind: str) -> tuple[Resource, ...]:
        """The resources of a type, without its `google_`."""
        return tuple(resource for resource in self.resources if resource.type == f"google_{kind}")

    def functions(self) -> dict[str, Resource]:
        """The functions, by name."""
        return {function.values["name"]: function for function in self.of("cloudfunctions2_function")}

    @property
    def environment(self) -> str:
        return str(self.variables["environment"])

    @property
    def project(self) -> str:
        return str(self.variables["project"])

    @property
    def live(self) -> bool:
        return bool(self.variables["mobilemart_live_integration"])

    def account(self, name: str) -> str:
        """One of our service accounts, as an IAM member."""
        return f"serviceAccount:{name}@{self.project}.iam.gserviceaccount.com"


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for raw in module.get("resources", ()):
        if raw["mode"] == "managed":
            yield Resource(raw["address"], raw["type"], raw.get("index"), raw["values"])
    for child in module.get("child_modules", ()):
        yield from _resources(child)
