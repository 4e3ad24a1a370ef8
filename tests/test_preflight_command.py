"""`dressage check`: a table and findings for people, JSON for programs, an exit code for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from command import call
from dressage import prepare
from dressage.examine import subject_of_job

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, shape, outputs):
        super().__init__()
        self.first, self.last = nn.Linear(shape[0], 32), nn.Linear(32, outputs)

    def forward(self, x):
        return torch.softmax(self.last(torch.relu(self.first(x))), 1)
"""
QUICK = ("--only", "first_loss", "--only", "heads", "--only", "wiring")


def test_healthy_data_and_network_end_in_0() -> None:
    answer = call("check", "wine", *QUICK)
    assert answer.code == 0, answer
    lines = answer.out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["first_loss", "passed"],
        ["heads", "passed"],
        ["wiring", "passed"],
    ]
    assert lines[-1] == "nothing found"


def test_harm_ends_in_1_with_cause_evidence_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    answer = call("check", "wine", "--model", f"{tmp_path / 'net.py'}:Net", *QUICK)
    assert answer.code == 1, answer
    assert "warning: loss.double_softmax at outputs:" in answer.out
    assert "    seen: " in answer.out and "    do: " in answer.out
    found = call("check", "wine", "--model", f"{tmp_path / 'net.py'}:Net", "--json", *QUICK)
    record = json.loads(found.out.splitlines()[-1])
    assert found.code == 1 and record["clear"] is False
    assert [f["id"] for f in record["findings"] if f["severity"] != "info"] == ["loss.double_softmax"]
    assert {c["name"] for c in record["checks"]} == {"first_loss", "heads", "wiring"}


def test_a_misspelt_check_is_a_usage_error() -> None:
    answer = call("check", "wine", "--skip", "hed")
    assert answer.code == 2 and "did you mean 'heads'" in answer.err and answer.out == ""


def test_a_job_as_a_subject_has_its_rows_as_the_network_gets_them() -> None:
    job = prepare("wine")
    subject = subject_of_job(job)
    assert subject.train is not None and subject.validation is not None and subject.optimizer is not None
    assert len(subject.train) == len(job.parts["train"]) and subject.train.order == "shuffled"
    assert torch.equal(subject.train.y, job.parts["train"].targets)
    assert list(subject.names) == list(job.preprocess.features)
    held = {id(p) for g in subject.optimizer.param_groups for p in g["params"]}
    assert held == {id(p) for p in subject.model.parameters()}
