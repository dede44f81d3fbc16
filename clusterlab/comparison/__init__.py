"""The same bad release by every strategy, with the same seed and the same shoppers, and what each cost."""

from clusterlab.comparison.run import STRATEGIES, Outcome, compare

__all__ = ["STRATEGIES", "Outcome", "compare"]
