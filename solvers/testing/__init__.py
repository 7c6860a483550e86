"""The suite of tests that every model passes, for models of one's own too; it needs no test runner.

    from solvers.testing import check
    report = check("spin_cat.two_ensembles")
    print(report)         # per method: compared with what, at how many points, the worst error, and what was not checked
    assert report.passed

`checks` holds the checks one by one, `fuzzing` the points over all declared bounds, `template` a file to begin with.
"""

from solvers.testing.accounts import Account, Report
from solvers.testing.checks import EVERY_CHECK
from solvers.testing.subject import Subject
from solvers.testing.suite import check, models_in
from solvers.testing.template import template

__all__ = ["EVERY_CHECK", "Account", "Report", "Subject", "check", "models_in", "template"]
