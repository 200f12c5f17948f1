"""Fetch: bring the files of a manifest into a raw directory, in parallel, and prove it.

    listing -> plan -> (space on disk?) -> verify or download each file -> ledger -> report

A file that cannot be had does not stop the others; the report names it. What cannot succeed for
any file (no access, no space, an unsafe path) is one error before or instead of all of them.
"""

import fcntl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from ansatz.core.recipe import Manifest
from ansatz.hub.download import Advance, download, quarantine
from ansatz.hub.fingerprint import Fingerprint, difference, fingerprint, has_digest
from ansatz.hub.ledger import Record, read_ledger, record, write_ledger
from ansatz.hub.listing import Entry
from ansatz.hub.mirrors import open_mirrors
from ansatz.hub.plan import FetchReport, Plan, Trouble, free_bytes, make_plan
from ansatz.hub.progress import meter
from ansatz.hub.sources import Source
from ansatz.hub.web import PATIENT, Patience, UnavailableError

_SECONDS_BETWEEN_RECORDS = 2.0


def fetch(
    manifest: Manifest,
    raw: Path,
    *,
    dry_run: bool = False,
    workers: int = 8,
    mirror: str | None = None,
    verify: bool = False,
    progress: bool = True,
    patience: Patience = PATIENT,
) -> FetchReport:
    """Bring the files of a manifest into a raw directory.

    Args:
        manifest: What to bring, and from where.
        raw: Where the files go, under the paths of the manifest.
        dry_run: Only say what would be done; nothing is written.
        workers: Files at a time.
        mirror: Address of the same files elsewhere, used instead of those of the manifest.
        verify: Read every file again instead of trusting size and time of the last run.
        progress: Show bytes on stderr as they arrive.
        patience: How long to insist on a source that fails.

    Returns:
        What was found, fetched and missing. `report.ok` is false if a required file is missing.

    Raises:
        ValueError: If an address is of no known kind, a path would leave `raw`, or the ledger of
            `raw` is damaged.
        OSError: If the source cannot be reached or refuses access, if the disk is too small, or
            if another fetch is at work in `raw`.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    address = mirror or manifest.source
    if not manifest.files:
        return FetchReport(address, raw, free_bytes=free_bytes(raw), dry_run=dry_run)
    addresses = (address,) if mirror else (address, *manifest.mirrors)
    with open_mirrors(addresses, manifest.checksums, patience, workers) as source:
        listing = source.listing(manifest.files)
        if dry_run:
            plan = make_plan(listing, raw, read_ledger(raw), verify)
            return _first_report(plan, address, dry_run=True)
        with _alone(raw):
            plan = make_plan(listing, raw, read_ledger(raw), verify)
            plan.require_space()
            with meter(plan.bytes_to_fetch(), progress) as advance:
                run = _Run(source, address, plan, patience, Event(), advance)
                return _carry_out(run, workers)


@dataclass(frozen=True)
class _Run:
    """What every worker needs."""

    source: Source
    address: str
    plan: Plan
    patience: Patience
    stop: Event
    advance: Advance


@dataclass(frozen=True)
class _Outcome:
    """What became of one file: a record, or trouble."""

    entry: Entry
    record: Record | None = None
    trouble: Trouble | None = None
    is_new: bool = False


def _carry_out(run: _Run, workers: int) -> FetchReport:
    """Work through a plan, recording files as they finish."""
    plan, records, outcomes = run.plan, read_ledger(run.plan.raw), list[_Outcome]()
    todo = [entry for entry in plan.listing.entries if plan.standings[entry.path] != "kept"]
    written = time.monotonic()
    pool = ThreadPoolExecutor(workers)
    try:
        jobs = [pool.submit(_obtain, run, entry, records.get(entry.path)) for entry in todo]
        for job in as_completed(jobs):
            outcome = job.result()
            outcomes.append(outcome)
            records.pop(outcome.entry.path, None)
            if outcome.record:
                records[outcome.entry.path] = outcome.record
            # Not after every file: for thousands of small ones the ledger would be the main work.
            if time.monotonic() > written + _SECONDS_BETWEEN_RECORDS:
                write_ledger(plan.raw, records)
                written = time.monotonic()
    finally:
        run.stop.set()
        pool.shutdown(cancel_futures=True)
        write_ledger(plan.raw, records)
    return _final_report(run, outcomes)


def _obtain(run: _Run, entry: Entry, known: Record | None) -> _Outcome:
    """Verify what is there, or download it."""
    target, revision = run.plan.raw / entry.path, run.plan.listing.revision
    if run.plan.standings[entry.path] == "unsure":
        found = fingerprint(target, entry)
        if _is_intact(entry, found, known):
            return _Outcome(entry, record(target, found, entry, run.address, revision))
        quarantine(target, target)
    try:
        found = download(run.source, entry, target, run.patience, run.stop, run.advance)
    except UnavailableError as error:
        return _Outcome(entry, trouble=Trouble(entry.path, entry.group, str(error), entry.required))
    return _Outcome(entry, record(target, found, entry, run.address, revision), is_new=True)


def _is_intact(entry: Entry, found: Fingerprint, known: Record | None) -> bool:
    if has_digest(entry):
        return not difference(entry, found)
    return known is not None and found.sha256 == known.sha256 and known.answers(entry)


def _first_report(plan: Plan, address: str, dry_run: bool = False) -> FetchReport:
    """What is known before anything is downloaded."""
    there = ("kept", "unsure") if dry_run else ("kept",)
    return FetchReport(
        source=address,
        raw=plan.raw,
        entries=plan.listing.entries,
        present=frozenset(path for path, state in plan.standings.items() if state in there),
        troubles=plan.missing,
        revision=plan.listing.revision,
        free_bytes=free_bytes(plan.raw),
        dry_run=dry_run,
    )


def _final_report(run: _Run, outcomes: Sequence[_Outcome]) -> FetchReport:
    first = _first_report(run.plan, run.address)
    return replace(
        first,
        present=first.present.union(done.entry.path for done in outcomes if done.record),
        fetched=tuple(done.entry.path for done in outcomes if done.is_new),
        troubles=first.troubles + tuple(done.trouble for done in outcomes if done.trouble),
    )


@contextmanager
def _alone(raw: Path) -> Iterator[None]:
    """Hold a raw directory for one fetch: two would write into the same partial files."""
    raw.mkdir(parents=True, exist_ok=True)
    with (raw / ".fetch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                error.errno, f"another fetch is at work in {raw}: wait for it, or stop it"
            ) from error
        yield
