"""`dsr schemas`: the record schemas that this package ships, and whether a registry has them."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

import schemas
from consumer.adapters.avro.registry import Incompatible, NotFound, RegistryClient
from consumer.asyncapi import document
from consumer.cli.connection import Registry, registry_of, secret_in, subject_names
from consumer.cli.options import AsJson, File
from consumer.cli.printing import emit, remark, say, show, table
from consumer.service import topic_specs
from consumer.settings import load

app = typer.Typer(no_args_is_help=True, help="The record schemas: list, show, compare with a registry, register.")

Url = Annotated[str | None, typer.Option("--registry", metavar="URL", help="Else schema_registry.url of the settings.")]
User = Annotated[str, typer.Option(help="Whom to log in as, with --registry.")]
PasswordFile = Annotated[Path | None, typer.Option(help="A file with the password, with --registry.")]


class Verdict(StrEnum):
    """How a registry stands to one of our newest schemas."""

    REGISTERED = "registered"
    COMPATIBLE = "not registered, but may be"
    INCOMPATIBLE = "not compatible with what is registered"


NEXT_STEP = {
    Verdict.COMPATIBLE: "`dsr schemas register` registers it",
    Verdict.INCOMPATIBLE: "somebody registered another schema under this subject: compare it with `dsr schemas show`",
}


@app.command("list")
def list_schemas(json: AsJson = False) -> None:
    """List every schema: its subject, version, and the id it travels under without a registry.

    \b
    Example:
      dsr schemas list

    \b
    JSON: {"subject","version","id","sha256","compatibility"}, one a version.
    Exit codes: 0.
    """
    rows = [
        {
            "subject": subject,
            "version": version,
            "id": schemas.schema_id(schemas.load(subject, version)),
            "sha256": schemas.sha256(schemas.load(subject, version)),
            "compatibility": schemas.COMPATIBILITY[subject],
        }
        for subject in schemas.subjects()
        for version in schemas.versions(subject)
    ]
    if json:
        for row in rows:
            emit(row)
        return
    filled = table("subject", "version", "id", "compatibility", right=("version", "id"))
    for row in rows:
        filled.add_row(*(str(row[name]) for name in ("subject", "version", "id", "compatibility")))
    show(filled)


@app.command("show")
def show_schema(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="As `dsr schemas list` names it.")],
    version: Annotated[int | None, typer.Option(help="Default: the newest.")] = None,
    json: AsJson = False,
) -> None:
    """Print one schema: every field with what it means. It is the Avro schema itself, ready for your own code.

    \b
    Examples:
      dsr schemas show dsr.commands-value
      dsr schemas show dsr.commands-value --version 1 --json > DsrCommand.avsc

    \b
    JSON: the schema on one line.
    Exit codes: 0 shown; 2 there is no such schema.
    """
    try:
        schema = schemas.load(subject, version)
    except KeyError:
        known = ", ".join(f"{name} ({', '.join(map(str, schemas.versions(name)))})" for name in schemas.subjects())
        raise typer.BadParameter(f"there is no such schema; there are {known}") from None
    if json:
        emit(schema)
    else:
        say(jsonlib.dumps(schema, indent=2, ensure_ascii=False))


@app.command("asyncapi")
def show_asyncapi(settings: File = None, json: AsJson = False) -> None:
    """Print the AsyncAPI 3 document of all topics, with the names and partitions of the settings.

    Schemas, keys, headers, retention and Kafka bindings: for code generators,
    catalogues and whoever writes a producer. JSON is YAML, too.

    \b
    Examples:
      dsr schemas asyncapi > asyncapi.json
      dsr schemas asyncapi --json | jq '.channels[].address'

    \b
    JSON: the document on one line.
    Exit codes: 0; 2 settings.
    """
    told = document(topic_specs(load(settings)), metadata.version("amplitude-dsr"))
    if json:
        emit(told)
    else:
        say(jsonlib.dumps(told, indent=2, ensure_ascii=False))


@app.command()
def check(
    url: Url = None, user: User = "", password_file: PasswordFile = None, settings: File = None, json: AsJson = False
) -> None:
    """Compare a registry with the newest schemas. Changes nothing.

    \b
    Examples:
      dsr schemas check
      dsr schemas check --registry http://localhost:8081

    \b
    JSON: {"subject","verdict","id"}, one a subject.
    Exit codes: 0 all are registered; 1 one is not; 2 usage or settings; 3 the
      registry does not answer.
    """
    _each(_looked_at, _registry(url, user, password_file, settings), settings, json=json)


@app.command()
def register(
    url: Url = None, user: User = "", password_file: PasswordFile = None, settings: File = None, json: AsJson = False
) -> None:
    """Register the newest schemas; those that are there already stay as they are.

    \b
    Example:
      dsr schemas register --registry http://localhost:8081

    \b
    JSON: {"subject","verdict","id"}, one a subject.
    Exit codes: 0 all are registered now; 1 the registry refuses one; 2 usage or
      settings; 3 it does not answer.
    """
    _each(_registered, _registry(url, user, password_file, settings), settings, json=json)


Step = Callable[[RegistryClient, str, schemas.Schema], Awaitable[tuple[Verdict, int | None]]]


def _each(step: Step, registry: Registry, file: Path | None, *, json: bool) -> None:
    answers = asyncio.run(_ask(step, registry, subject_names(load(file))))
    if json:
        for name, (verdict, number) in answers.items():
            emit({"subject": name, "verdict": verdict.name.lower(), "id": number})
    else:
        _table(answers)
    raise typer.Exit(0 if all(verdict is Verdict.REGISTERED for verdict, _ in answers.values()) else 1)


def _table(answers: dict[str, tuple[Verdict, int | None]]) -> None:
    filled = table("subject", "id", "verdict", right=("id",))
    for name, (verdict, number) in answers.items():
        colour = "green" if verdict is Verdict.REGISTERED else "red"
        filled.add_row(name, str(number or "-"), f"[{colour}]{verdict}[/]")
    show(filled)
    for name, (verdict, _) in answers.items():
        if verdict in NEXT_STEP:
            remark(f"{name}: {NEXT_STEP[verdict]}")


async def _ask(step: Step, registry: Registry, names: dict[str, str]) -> dict[str, tuple[Verdict, int | None]]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        client = RegistryClient(session, registry.url, registry.user, registry.password)
        return {names[subject]: await step(client, names[subject], schemas.load(subject)) for subject in names}


async def _looked_at(client: RegistryClient, name: str, schema: schemas.Schema) -> tuple[Verdict, int | None]:
    try:
        return Verdict.REGISTERED, await client.id_of(name, schema)
    except NotFound:
        compatible = await client.is_compatible(name, schema)
        return (Verdict.COMPATIBLE if compatible else Verdict.INCOMPATIBLE), None


async def _registered(client: RegistryClient, name: str, schema: schemas.Schema) -> tuple[Verdict, int | None]:
    try:
        return Verdict.REGISTERED, await client.register(name, schema)
    except Incompatible:
        return Verdict.INCOMPATIBLE, None


def _registry(url: str | None, user: str, password_file: Path | None, file: Path | None) -> Registry:
    if url is None:
        found = registry_of(load(file))
        if found is None:
            raise typer.BadParameter("no registry: say --registry URL, or set schema_registry.url")
        return found
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("the registry's URL starts with http:// or https://")
    return Registry(url, user, secret_in(password_file))
