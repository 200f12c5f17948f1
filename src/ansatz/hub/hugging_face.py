"""Data sets of the Hugging Face hub, listed with their digests and pinned to a commit.

huggingface_hub gives addresses and credentials. Its listing and download are not used (read at
2.4.0): they raise the errors of another HTTP library with each major version (requests, httpx,
httpx2), do not ask for paths again after a 503, begin every file anew that a killed process left
half fetched, and accept corrupted bytes of the right size (huggingface_hub#3643).
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import httpx
from huggingface_hub import constants, get_token, hf_hub_url
from pydantic import TypeAdapter, ValidationError

from ansatz.core.recipe import RemoteFile
from ansatz.hub.fingerprint import GIT
from ansatz.hub.listing import Found, Listing, expand, fixed_folder
from ansatz.hub.web import Connection, Patience, Stream, UnavailableError

_PATHS_PER_QUESTION = 100


@dataclass(frozen=True)
class HuggingFace:
    """A data set of the Hugging Face hub, at one commit."""

    dataset: str
    revision: str
    endpoint: str
    connection: Connection
    workers: int

    def listing(self, files: Sequence[RemoteFile]) -> Listing:
        """Ask for exact paths in bulk, and for the folders of patterns one by one."""
        exact = [file.path for file in files if "*" not in file.path]
        batches = [
            exact[i : i + _PATHS_PER_QUESTION] for i in range(0, len(exact), _PATHS_PER_QUESTION)
        ]
        folders = {fixed_folder(file.path) for file in files if "*" in file.path}
        known: dict[str, Found] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            for found in (*pool.map(self._paths, batches), *pool.map(self._tree, sorted(folders))):
                known.update(found)
        return expand(files, known, self.revision)

    def stream(self, path: str, offset: int) -> AbstractContextManager[Stream]:
        """Download a file from an offset."""
        url = hf_hub_url(
            self.dataset,
            path,
            repo_type="dataset",
            revision=self.revision,
            endpoint=self.endpoint,
        )
        return self.connection.stream(url, offset)

    def _url(self, question: str) -> str:
        return f"{self.endpoint}/api/datasets/{self.dataset}/{question}/{self.revision}"

    def _paths(self, paths: Sequence[str]) -> dict[str, Found]:
        answer = self.connection.ask("POST", self._url("paths-info"), {"paths": list(paths)})
        return _hub_files(answer)

    def _tree(self, folder: str) -> dict[str, Found]:
        url = f"{self._url('tree')}/{quote(folder, safe='')}".rstrip("/") + "?recursive=true"
        known: dict[str, Found] = {}
        while url:
            try:
                page = self.connection.ask("GET", url)
            except UnavailableError as error:
                if error.status != 404:
                    raise
                return known  # no such folder: its files will be reported as missing
            known.update(_hub_files(page))
            url = page.links.get("next", {}).get("url", "")
        return known


def hugging_face(
    address: str, client: httpx.Client, patience: Patience, workers: int
) -> HuggingFace:
    """Open a data set at the commit that its revision names now.

    The commit is resolved once: a branch that moves meanwhile cannot mix two versions.

    Args:
        address: `hf://datasets/OWNER/NAME@REVISION`; the revision is `main` unless given.
        client: Connections.
        patience: How long to insist.
        workers: Requests at a time.

    Raises:
        ValueError: If the address does not name a data set.
        OSError: If the hub cannot be reached, refuses access, or has no such revision.
    """
    found = re.fullmatch(r"hf://datasets/([\w.-]+/[\w.-]+)(?:@([^@]+))?", address)
    if not found:
        raise ValueError(
            f"{address!r} does not name a data set: expected hf://datasets/OWNER/NAME@REVISION"
        )
    dataset, revision = found[1], found[2] or "main"
    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT).rstrip("/")
    advice = (
        f"Check the spelling of {dataset}; if the data set is gated or private, accept its terms "
        f"on {endpoint}/datasets/{dataset} and log in with `hf auth login`, or set HF_TOKEN"
    )
    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection = Connection(client, patience, headers, advice)
    url = f"{endpoint}/api/datasets/{dataset}/revision/{quote(revision, safe='')}"
    try:
        commit = _read(_REVISION, connection.ask("GET", url)).sha
    except UnavailableError as error:
        if error.status != 404:
            raise
        raise FileNotFoundError(f"{error}: there is no revision {revision} of {dataset}") from error
    return HuggingFace(dataset, commit, endpoint, connection, workers)


# What the hub answers; https://huggingface.co/docs/hub/api. Only what is used is declared.
@dataclass(frozen=True)
class _Revision:
    sha: str


@dataclass(frozen=True)
class _LargeFile:
    oid: str


@dataclass(frozen=True)
class _Item:
    type: str
    path: str
    oid: str
    size: int = 0
    lfs: _LargeFile | None = None


_REVISION = TypeAdapter(_Revision)
_ITEMS = TypeAdapter(list[_Item])
_Answer = TypeVar("_Answer")


def _read(kind: TypeAdapter[_Answer], response: httpx.Response) -> _Answer:
    try:
        return kind.validate_json(response.content)
    except ValidationError as error:
        raise UnavailableError(
            f"{response.url} gave no listing but {response.headers.get('Content-Type')}: "
            "is there a proxy or a login page in between, or is HF_ENDPOINT not a hub?"
        ) from error


def _hub_files(response: httpx.Response) -> dict[str, Found]:
    known: dict[str, Found] = {}
    for item in _read(_ITEMS, response):
        if item.lfs:  # then `oid` names the pointer file, not the content
            known[item.path] = Found(item.size, item.lfs.oid, item.lfs.oid)
        elif item.type == "file":
            known[item.path] = Found(item.size, None, GIT + item.oid)
    return known
