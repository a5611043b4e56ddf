"""What dimensions cost at every time of an order: the loss components L_t, cost tables, plans. Imports torch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ardm_compress.ardm.schedule import Plan, plan_all, table_from_conditional
from oa.network import DIMENSIONS, DimensionNetwork
from oa.schedules import exchangeable_cost
from oa.training import dimension_bits

POINTS = 49  # times at which the loss components are measured
GROUPS = 128  # of consecutive dimensions, between which the steps of orders that are not random may end
SAMPLED = 4  # dimensions of each group that cost tables are measured at


def times() -> NDArray[np.int64]:
    """Where the loss components are measured: more often where little is known."""
    return np.unique(((DIMENSIONS - 1) * np.linspace(0, 1, POINTS) ** 2).round().astype(np.int64))


@torch.no_grad()
def components(network: DimensionNetwork, pictures: NDArray[np.uint8], seed: int = 0) -> NDArray[np.float64]:
    """L_t in bits at ``times``: mean cost of an unknown dimension when t uniformly random ones are known."""
    rng, tensor, found = np.random.default_rng(seed), torch.from_numpy(pictures), []
    for time in times():
        order = np.argsort(rng.random((len(pictures), DIMENSIONS)), 1)
        known = np.zeros((len(pictures), DIMENSIONS), np.bool_)
        np.put_along_axis(known, order[:, :time], True, 1)
        unknown = torch.from_numpy(order[:, time : time + 64].copy())
        found.append(float(dimension_bits(network, tensor, torch.from_numpy(known).view_as(tensor), unknown).mean()))
    return np.array(found)


def loss_of_all_times(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """L_0..L_(D-1), on lines between those measured; where knowing more seems to cost more, it was noise."""
    return np.interp(np.arange(DIMENSIONS), times(), np.minimum.accumulate(measured))


def plan_random(measured: NDArray[np.float64], largest: int) -> Plan:
    """Make the paper's plan from the loss components at ``times``."""
    return plan_all(exchangeable_cost(loss_of_all_times(measured)), largest=largest)


@torch.no_grad()
def table(network: DimensionNetwork, pictures: NDArray[np.uint8], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean bits of a picture [t, k] of coding groups t..k of an order in one call, given the groups before them."""
    rank = np.empty(DIMENSIONS, np.int64)
    rank[order] = np.arange(DIMENSIONS) * GROUPS // DIMENSIONS
    sampled = np.random.default_rng(1).permuted(order.reshape(GROUPS, -1), axis=1)[:, :SAMPLED].copy()
    tensor, bits = torch.from_numpy(pictures), np.zeros((GROUPS, GROUPS))
    for first in range(GROUPS):
        known = torch.from_numpy(rank < first).view(1, *tensor.shape[1:]).expand_as(tensor)
        later = torch.from_numpy(sampled[first:].ravel()).expand(len(tensor), -1)
        found = dimension_bits(network, tensor, known, later).mean(0)
        bits[first, first:] = found.view(-1, SAMPLED).mean(1).numpy()
    return table_from_conditional(bits * (DIMENSIONS / GROUPS))
