"""The table of properties: the same as AWS's API, and the one that the README shows."""

import importlib.util
from pathlib import Path

import botocore.session
import pytest
from annotated_types import Ge, Le

from esm.mapping import PROPERTIES, EventSourceMapping, members


def test_the_table_is_that_of_awss_api():
    model = botocore.session.get_session().get_service_model("lambda")
    created = model.operation_model("CreateEventSourceMapping").input_shape.members
    changed = model.operation_model("UpdateEventSourceMapping").input_shape.members
    assert set(created) == {row.name for row in PROPERTIES}
    assert set(changed) - {"UUID"} == {row.name for row in PROPERTIES if row.about.updatable}
    patterns = {
        "EventSourceArn": members.ARN,
        "FunctionName": members.FUNCTION_NAME,
        "KMSKeyArn": members.KMS_KEY,
    }
    assert patterns == {name: created[name].metadata["pattern"] for name in patterns}
    limits = {
        name: (member.metadata["min"], member.metadata["max"])
        for name, member in created.items()
        if member.type_name == "integer"
    }
    assert limits == {row.name: bounds(row.attribute) for row in PROPERTIES if row.name in limits}


def bounds(attribute):
    metadata = EventSourceMapping.model_fields[attribute].metadata
    (lowest,) = [item.ge for item in metadata if isinstance(item, Ge)]
    (highest,) = [item.le for item in metadata if isinstance(item, Le)]
    return lowest, highest


def test_the_table_is_printed_in_two_groups():
    text = properties_table().table()
    headings = [line.split(".")[0] for line in text.splitlines() if line.startswith("**")]
    assert headings == ["**Enforced", "**No effect on deliveries"]
    assert "| `BatchSize` | 100 | 1 to 10000 | [recordings of AWS](https://docs.aws." in text
    assert "| `EventSourceArn` | required | ARN of a stream |" in text
    assert all(f"`{row.name}`" in text for row in PROPERTIES)


def test_the_table_replaces_what_is_between_its_markers():
    module = properties_table()
    readme = f"before\n{module.BEGIN}\nold\n{module.END}\nafter\n"
    assert module.with_table(readme) == (
        f"before\n{module.BEGIN}\n{module.table()}{module.END}\nafter\n"
    )
    with pytest.raises(SystemExit, match="README has no"):
        module.with_table("no markers")


def test_a_readme_that_is_out_of_date_is_told(tmp_path, monkeypatch, capsys):
    module = properties_table()
    readme = tmp_path / "README.md"
    readme.write_text(f"{module.BEGIN}\n{module.END}\n")
    monkeypatch.setattr(module, "README", readme)
    assert module.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert module.main(["--write"]) == 0
    assert module.main(["--check"]) == 0
    assert module.main([]) == 0
    assert capsys.readouterr().out in readme.read_text()


def properties_table():
    path = Path(__file__).parents[1] / "scripts" / "properties_table.py"
    spec = importlib.util.spec_from_file_location("properties_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
