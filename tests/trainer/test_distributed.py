import pytest
import sine
import torch
import worker
from processes import together
from safetensors.torch import load_file

from ansatz.trainer.distributed import World, first_host, process_group, world_of
from ansatz.trainer.loop import fit

SRUN = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_NODELIST": "gpu[07-09,12],big1",
    "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1",
}


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[07-09,12],big1", "gpu07"),
        ("rack[2,4]-gpu[10-11].site", "rack2-gpu10.site"),
    ],
)
def test_the_first_host_of_a_node_list_is_found(nodes, host):
    assert first_host(nodes) == host


def test_processes_of_srun_meet_on_the_first_host_of_the_step():
    assert world_of(SRUN) == World(3, 4, 1, "tcp://gpu07:23456")


def test_processes_of_torchrun_take_its_meeting_point():
    variables = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    meeting = {"MASTER_ADDR": "a", "MASTER_PORT": "1"}
    assert world_of({**SRUN, **variables, **meeting}) == World(1, 2, 0, "env://")
    with pytest.raises(LookupError, match=r"torchrun, but MASTER_ADDR, MASTER_PORT is not set"):
        world_of(variables)


def test_a_batch_script_is_one_process_however_many_tasks_the_job_has():
    assert world_of({"SLURM_NTASKS": "16", "SLURM_PROCID": "0", "SLURM_JOB_ID": "1"}) == World()


def test_a_process_without_torchrun_is_alone(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with process_group() as world:
        assert world == World()
        assert world.is_main


def test_two_ranks_with_accumulation_take_the_steps_of_one_process_with_four_times_the_batch(
    tmp_path,
):
    assert together(2, worker.train, "plain", tmp_path) == [0, 0]

    model = sine.network()
    one = worker.PLAIN.__class__(**{**vars(worker.PLAIN), "accumulate": 1})
    readings = [
        step.reading for step in fit(model, sine.objective, sine.batches(16), one, device=sine.CPU)
    ]

    found = load_file(tmp_path / "plain")
    # Sums over samples are taken in another order: float32 rounding, a few units per step.
    expected = torch.tensor([reading["loss"] for reading in readings])
    torch.testing.assert_close(found.pop("losses"), expected, rtol=1e-5, atol=1e-7)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
