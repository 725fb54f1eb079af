"""Endpoints and warehouses of a template: their names, and what stands in for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from esm.template import Template, load

TEMPLATE = """\
Resources:
  Model: {Type: AWS::SageMaker::Model, Properties: {ModelName: prices-v1}}
  Config: {Type: AWS::SageMaker::EndpointConfig, Properties: {EndpointConfigName: prices-v1}}
  Prices:
    Type: AWS::SageMaker::Endpoint
    Metadata: {esm: {ModelFile: models/prices.json}, Other: {Tool: 1}}
    Properties: {EndpointName: Prices}
  Unnamed: {Type: AWS::SageMaker::Endpoint}
  Cluster: {Type: AWS::Redshift::Cluster, Properties: {ClusterIdentifier: badges, DBName: events}}
  Namespace:
    Type: AWS::RedshiftServerless::Namespace
    Properties: {NamespaceName: spaces, DbName: scans}
  Workgroup:
    Type: AWS::RedshiftServerless::Workgroup
    Properties: {WorkgroupName: readers, NamespaceName: !Ref Namespace}
  Elsewhere:
    Type: AWS::RedshiftServerless::Workgroup
    Properties: {WorkgroupName: others, NamespaceName: of-another-stack}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: .
      Environment:
        Variables:
          ENDPOINT: !GetAtt Prices.EndpointName
          ENDPOINT_ARN: !Ref Prices
          CONFIG: !GetAtt Config.EndpointConfigName
          MODEL: !GetAtt Model.ModelName
          CLUSTER: !Ref Cluster
          HOST: !GetAtt Cluster.Endpoint.Address
          PORT: !GetAtt Cluster.Endpoint.Port
          WORKGROUP: !Ref Workgroup
          WORKGROUP_NAME: !GetAtt Workgroup.Workgroup.WorkgroupName
          WORKGROUP_ARN: !GetAtt Workgroup.Workgroup.WorkgroupArn
          NAMESPACE: !GetAtt Namespace.Namespace.NamespaceName
"""


def loaded(folder: Path, text: str = TEMPLATE) -> Template:
    path = folder / "template.yaml"
    path.write_text(f"Transform: AWS::Serverless-2016-10-31\n{text}")
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    return load(path)


def test_others_learn_names_and_arns(tmp_path: Path):
    template = loaded(tmp_path)
    assert template.problems == ()
    function = template.functions["Function"]
    assert (function.problems, function.missing) == ((), ())
    found = dict(function.environment)
    arn = found.pop("WORKGROUP_ARN")
    host = found.pop("HOST")
    assert found == {
        "ENDPOINT": "Prices",
        "ENDPOINT_ARN": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/prices",
        "CONFIG": "prices-v1",
        "MODEL": "prices-v1",
        "CLUSTER": "badges",
        "PORT": "5439",
        "WORKGROUP": "readers",
        "WORKGROUP_NAME": "readers",
        "NAMESPACE": "spaces",
    }
    assert arn == template.warehouses["Workgroup"].arn
    assert arn.startswith("arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/")
    assert host.startswith("badges.")
    assert host.endswith(".us-east-1.redshift.amazonaws.com")


def test_a_model_file_lies_beside_the_template(tmp_path: Path):
    endpoints = loaded(tmp_path).endpoints
    assert endpoints["Prices"].model_file == tmp_path / "models" / "prices.json"
    assert endpoints["Unnamed"].model_file is None
    assert endpoints["Unnamed"].name.startswith("sam-app-Unnamed-")


def test_a_warehouse_has_the_database_that_the_template_names(tmp_path: Path):
    warehouses = loaded(tmp_path).warehouses
    databases = {each.name: each.database for each in warehouses.values()}
    assert databases == {"badges": "events", "readers": "scans", "others": "dev"}


@pytest.mark.parametrize(
    "kind",
    ["Redshift::Cluster", "RedshiftServerless::Workgroup", "RedshiftServerless::Namespace"],
)
def test_names_of_warehouses_are_in_lower_case(tmp_path: Path, kind: str):
    function = TEMPLATE[TEMPLATE.index("  Function:") :].partition("          ENDPOINT:")[0]
    text = f"Resources:\n  Badges: {{Type: AWS::{kind}}}\n{function}          NAME: !Ref Badges\n"
    name = loaded(tmp_path, text).functions["Function"].environment["NAME"]
    assert name.startswith("sam-app-badges-")
    assert name == name.lower()


def test_a_misspelt_model_file_is_told(tmp_path: Path):
    [problem] = loaded(tmp_path, TEMPLATE.replace("ModelFile", "ModelPath")).problems
    assert problem.esm_code == "E140"
    assert problem.message == "an endpoint's Metadata has no esm: ModelPath"
    assert problem.fix == "ModelFile"
