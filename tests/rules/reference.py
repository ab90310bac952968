"""HERO and the baselines again, one Python float at a time: slow, obvious, independent of the tensors under test."""

import math
from collections import defaultdict


def mean(values):
    return math.fsum(values) / len(values)


def std(values, correction):
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / max(len(values) - correction, 1))


def members(group):
    rows = defaultdict(list)
    for row, name in enumerate(group):
        rows[name].append(row)
    return rows.values()


def normalise(reward, group, scorable, scale, eps):
    counted = [r for r, s in zip(reward, scorable, strict=True) if s]
    batch_std = std(counted, 1) if len(counted) > 1 else 0.0
    advantage = [0.0] * len(reward)
    for rows in members(group):
        rows = [i for i in rows if scorable[i]]
        values = [reward[i] for i in rows]
        if len(rows) < 2 or max(values) == min(values):
            continue
        divisor = {"none": 1.0, "group": std(values, 1) + eps, "batch": batch_std + eps}[scale]
        for i in rows:
            advantage[i] = (reward[i] - mean(values)) / divisor
    return advantage


def banded(verdict, score, group, alpha, beta, singleton, eps):
    reward = [math.nan] * len(verdict)
    for rows in members(group):
        words = sorted({verdict[i] for i in rows if not math.isnan(verdict[i])})
        for place, word in enumerate(words):
            reach = [alpha * (words[place + 1] - word)] if place + 1 < len(words) else []
            reach += [beta * (word - words[place - 1])] if place else []
            half = min(reach, default=alpha + (beta - alpha) * word)
            stratum = [i for i in rows if verdict[i] == word]
            present = [score[i] for i in stratum if not math.isnan(score[i])]
            for i in stratum:
                if math.isnan(score[i]):
                    z = 0.5
                elif max(present) == min(present):
                    z = 0.0 if singleton == "floor" else 0.5
                else:
                    z = (score[i] - min(present)) / (max(present) - min(present) + eps)
                reward[i] = word + half * (2 * z - 1)
    return reward


def sigmas(verdict, score, group):
    """(sigma, known) of each group, in the order of first appearance."""
    out = []
    for rows in members(group):
        present = [score[i] for i in rows if not math.isnan(score[i]) and not math.isnan(verdict[i])]
        known = len(present) >= 2
        out.append((std(present, 0) if known and max(present) > min(present) else 0.0, known))
    return out


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def hero(rule, verdict, score, group, sigma_bar):
    """(reward, advantage, weight, sigma, next sigma_bar), all per rollout."""
    spread = sigmas(verdict, score, group)
    known = [s for s, k in spread if k]
    frozen = sigma_bar if sigma_bar is not None else (mean(known) if known else None)
    weight, sigma = [1.0] * len(verdict), [0.0] * len(verdict)
    for rows, (s, k) in zip(members(group), spread, strict=True):
        for i in rows:
            sigma[i] = s
            if k:
                assert frozen is not None
                excess = s - frozen if rule.sigma == "raw" else (s / frozen - 1 if frozen > 0 else 0.0)
                weight[i] = rule.w_min + (rule.w_max - rule.w_min) * sigmoid(rule.k * excess)
    r_hat = banded(verdict, score, group, rule.alpha, rule.beta, rule.singleton, rule.eps)
    scorable = [not math.isnan(v) for v in verdict]
    advantage = normalise(r_hat, group, scorable, rule.scale, rule.eps)
    if not known:
        after = sigma_bar
    elif sigma_bar is None:
        after = mean(known)
    else:
        after = rule.momentum * sigma_bar + (1 - rule.momentum) * mean(known)
    return (
        [w * r for w, r in zip(weight, r_hat, strict=True)],
        [w * a for w, a in zip(weight, advantage, strict=True)],
        weight,
        sigma,
        after,
    )


def concordance(verdict, score):
    """Of the pairs of unlike verdicts, the share that the scores rank alike; None without such a pair."""
    rows = range(len(verdict))
    pairs = [(i, j) for i in rows for j in rows if verdict[i] > verdict[j]]
    wins = [1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0 for i, j in pairs]
    return mean(wins) if wins else None


def gated_hero(rule, verdict, score, group, state):
    """(reward, advantage, weight, sigma, next state as plain data), all but the last per rollout."""
    trust = state.trust
    _, _, plain_weight, sigma, sigma_bar = hero(rule, verdict, score, group, state.sigma_bar)
    weight = [1 + trust * (w - 1) for w in plain_weight]
    narrow = banded(verdict, score, group, trust * rule.alpha, trust * rule.beta, rule.singleton, rule.eps)
    full = banded(verdict, score, group, rule.alpha, rule.beta, rule.singleton, rule.eps)
    scorable = [not math.isnan(v) for v in verdict]
    advantage = normalise(narrow, group, scorable, rule.scale, rule.eps)
    ranked = normalise(full, group, scorable, rule.scale, rule.eps)
    seen = []
    for rows in members(group):
        verdicts = {verdict[i] for i in rows if scorable[i]}
        if len(verdicts) < 2:
            for i in rows:
                advantage[i] = trust * ranked[i]
        present = [i for i in rows if scorable[i] and not math.isnan(score[i])]
        shown = concordance([verdict[i] for i in present], [score[i] for i in present])
        if shown is not None:
            seen.append(shown)
    kept = rule.memory * state.evidence
    evidence = kept + len(seen)
    centre, square = state.auroc, state.auroc_squared
    if seen:
        centre = (kept * state.auroc + sum(seen)) / evidence
        square = (kept * state.auroc_squared + sum(a * a for a in seen)) / evidence
    after = 0.0
    if evidence >= 8:
        after = max(0.0, min(1.0, 2 * (centre - math.sqrt(max(square - centre**2, 0.04) / evidence)) - 1))
    return (
        [w * r for w, r in zip(weight, narrow, strict=True)],
        [w * a for w, a in zip(weight, advantage, strict=True)],
        weight,
        sigma,
        {"sigma_bar": sigma_bar, "trust": after, "evidence": evidence, "auroc": centre, "auroc_squared": square},
    )
