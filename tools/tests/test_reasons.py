"""The reasons for which a domain refuses are those that it declares, and stand in its contract."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from graphql.pyutils import camel_to_snake

from framework import reasons
from framework.testing.reasons import differences
from tools.management.commands import protos

SERVICE, METHOD = FileDescriptorProto.SERVICE_FIELD_NUMBER, 2  # numbers of descriptor.proto: a method's path in a file
HOW = 'the comment of each rpc ends with "// Reasons: A, B.", as REASONS of rules.py has them, or without that line'


def commented(contracts: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Domain, function and reasons of each method, as the comments say them."""
    for file in FileDescriptorSet.FromString(contracts.read_bytes()).file:
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for number, service in enumerate(file.service):
            for position, method in enumerate(service.method):
                text = comments.get((SERVICE, number, METHOD, position), "")
                found = re.search(r"\bReasons: ([A-Z_, \n]+)\.", text)
                name = camel_to_snake(method.name).removeprefix("batch_")
                yield file.package.partition(".")[0], name, tuple(re.findall(r"\w+", found[1] if found else ""))


@pytest.mark.parametrize("package", settings.DOMAINS.values())
def test_what_a_domain_raises_is_what_it_declares(package):
    assert differences(package) == []


def test_each_method_names_its_reasons(tmp_path):
    protos.describe(tmp_path / "protos.binpb")
    declared = reasons.declared()
    found = [entry for entry in commented(tmp_path / "protos.binpb") if entry[0] in settings.DOMAINS]

    right = [(domain, name, tuple(declared[settings.DOMAINS[domain]].get(name, ()))) for domain, name, _ in found]
    assert found == right, HOW
