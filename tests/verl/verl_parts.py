"""verl's configuration, data and batches for tests, as a run of verl would have them."""

import math
from pathlib import Path

import torch
import verl
from hydra import compose, initialize_config_dir

from hero_rl.verifiers import Verdict

CONFIG_FOLDER = str(Path(verl.__file__).parent / "trainer" / "config")
MANAGER = "pkg://hero_rl.trainers.verl.reward_manager"


def overrides(policy, data, folder, **changes):
    """The command line of a run; `hero.*` settings by their dotted names, None leaves a setting out."""
    settings = {
        "data.train_files": data,
        "data.val_files": data,
        "data.train_batch_size": 2,
        "data.max_prompt_length": 64,
        "data.max_response_length": 16,
        "data.dataloader_num_workers": 0,
        "actor_rollout_ref.model.path": policy,
        "actor_rollout_ref.rollout.name": "vllm",
        "actor_rollout_ref.rollout.n": 4,
        "actor_rollout_ref.rollout.agent.num_workers": 1,
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 2,
        "actor_rollout_ref.actor.ppo_mini_batch_size": 2,
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 2,
        "actor_rollout_ref.actor.use_dynamic_bsz": False,
        "algorithm.adv_estimator": "hero",
        "critic.enable": False,
        "algorithm.norm_adv_by_std_in_grpo": False,
        "trainer.v1.trainer_mode": "hero_sync",
        "trainer.n_gpus_per_node": 1,
        "trainer.device": "cpu",
        "trainer.logger": "[console]",
        "trainer.val_before_train": False,
        "trainer.default_local_dir": f"{folder}/checkpoints",
        "reward.num_workers": 1,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
        "reward.reward_manager.source": "importlib",
        "reward.reward_manager.name": "HeroRewardManager",
        "reward.reward_manager.module.path": MANAGER,
        "reward.custom_reward_function.path": MANAGER,
        "+hero.verifier.type": "exact",
        "+hero.rule.type": "verifier_only",
    } | changes
    return [f"{name}={_written(value)}" for name, value in settings.items() if value is not None]


def _written(value):
    return "null" if value == "null" else str(value).lower() if isinstance(value, bool) else value


def composed(lines):
    with initialize_config_dir(CONFIG_FOLDER, version_base=None):
        return compose("ppo_trainer", overrides=lines)


def write_problems(path, number):
    import pandas

    rows = [
        {
            "prompt": [{"role": "user", "content": f"{n} + {n} ="}],
            "data_source": "sums",
            "reward_model": {"style": "rule", "ground_truth": str(2 * n)},
            "extra_info": {"index": n},
        }
        for n in range(number)
    ]
    pandas.DataFrame(rows).to_parquet(path)
    return path


class ByColumns:
    """Right where the answer is twice the number in `extra_info`, told by the row's columns alone."""

    needs_reference = False

    def verify(self, request):
        right = 2 * int(request.columns["extra_info"]["index"])
        assert request.domain == "sums" and request.prompt[-1]["content"] == f"{right // 2} + {right // 2} ="
        return Verdict(float(request.completion.rpartition("#### ")[2] == str(right)), "by columns")


def row(key, verdict, score, length, *, logps=None, padding=False):
    """(key, fields, tag) of one row in the queue, as agent loop and padding leave it."""
    rm_scores = torch.zeros(length)
    rm_scores[-1] = 0.0 if padding else verdict
    mask = torch.zeros(length, dtype=torch.int64) if padding else torch.ones(length, dtype=torch.int64)
    facts = {"verdict": verdict, "score": score, "reason": "mismatch", "answer": "4", "error": ""}
    fields = {
        "uid": key.rsplit("_", 2)[0],
        "response_mask": mask,
        "rm_scores": rm_scores,
        "extra_fields": {"reward_extra_info": facts | {"verifier/abstained": float(math.isnan(verdict))}},
        "old_log_probs": torch.full((length,), -1.0) if logps is None else logps,
        "ref_log_prob": torch.full((length,), -1.0),
    }
    return key, fields, {"is_padding": True, "seq_len": length} if padding else {"seq_len": length}


def put(tq, rows):
    """The batch in the queue, in the order of the rows."""
    from verl.utils.tensordict_utils import list_of_dict_to_tensordict

    keys, fields, tags = (list(column) for column in zip(*rows, strict=True))
    return tq.kv_batch_put(keys=keys, partition_id="train", fields=list_of_dict_to_tensordict(fields), tags=tags)


def advantages(tq, batch):
    """Each row's advantages on its tokens."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=["advantages"])
    return [one.tolist() for one in data["advantages"].unbind()]
