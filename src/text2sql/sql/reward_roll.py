"""The reward as ROLL calls it: the ``worker_cls`` of a domain under ``rewards``.

It is imported in ROLL's environment only. Databases are found by the variable
TEXT2SQL_REWARD_DATABASES.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from roll.distributed.executor.worker import Worker
from roll.distributed.scheduler.decorator import Dispatch, register
from roll.distributed.scheduler.protocol import DataProto
from roll.models.model_providers import default_tokenizer_provider
from test_suite_sql_eval import Settings

from text2sql.errors import UserError
from text2sql.sql.reward import RIGHT, SqlReward
from text2sql.sql.reward_verl import DATABASES


class SqlRewardWorker(Worker):
    """One of the ``world_size`` workers among which ROLL splits the answers; each judges alone."""

    def __init__(self, worker_config: Any) -> None:
        super().__init__(worker_config=worker_config)
        self.rank_info.dp_rank = self.rank_info.rank
        self.rank_info.dp_size = self.rank_info.world_size
        self.tokenizer = default_tokenizer_provider(model_args=self.worker_config.model_args)
        self._reward: SqlReward | None = None

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def initialize(self, pipeline_config: Any) -> None:
        """Start the judge.

        Raises:
            UserError: the folder of the databases is not named or not there.
        """
        folder = os.environ.get(DATABASES)
        if not folder:
            raise UserError(f"set {DATABASES} to the folder of the databases")
        self._reward = SqlReward(folder, Settings(jobs=1))

    @register(dispatch_mode=Dispatch.DP_MP_COMPUTE, clear_cache=False)
    def compute_rewards(self, data: Any) -> Any:
        """Return the rewards of answers.

        Args:
            data: ``responses`` (answers x tokens) in the batch; ``ground_truth``, the gold query,
                and ``db_id`` of each answer beside it.

        Returns:
            ``response_level_rewards``, from 0.0 to 1.0; ``scores``, 1.0 for the right answers
            alone, which ROLL reports as accuracy; ``token_level_rewards``, zeros.
        """
        assert self._reward is not None, "ROLL initializes its workers before it calls them"
        responses = data.batch["responses"]
        texts = self.tokenizer.batch_decode(responses, skip_special_tokens=True)
        golds, db_ids = (list(data.non_tensor_batch[key]) for key in ("ground_truth", "db_id"))
        rewards = torch.tensor(self._reward(texts, golds, db_ids), dtype=torch.float16)
        return DataProto.from_dict(
            tensors={
                "token_level_rewards": torch.zeros_like(responses, dtype=torch.float16),
                "response_level_rewards": rewards,
                "scores": (rewards == RIGHT).to(torch.float16),
            }
        )
