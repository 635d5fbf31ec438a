"""From linked records to one analysis table: who enters and when, covariates and outcomes.

The package has the name of its main function, `tfeval.cohort`. Once the package is loaded, Python
puts it under that name; so the package can be called like the function, and says its signature.
"""

import inspect
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Build the cohort of one phase; see `tfeval.cohort.cohort.cohort`."""
        from tfeval.calls import public  # noqa: PLC0415
        from tfeval.cohort.cohort import cohort  # noqa: PLC0415

        return public(cohort)(*args, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        from tfeval.cohort.cohort import cohort  # noqa: PLC0415

        return inspect.signature(cohort)


sys.modules[__name__].__class__ = _Callable
