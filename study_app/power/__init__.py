"""How many people and images a study needs: its own plan, simulated with new people and images.

Who sees what comes from the study file (`incidence`), how people and images differ from a pilot or
from declared ranges (`components`), and what is decided from the declared test (`claims`).
"""

from study_app.power.answer import Answer, Limit, ask, expected_losses, percent, points
from study_app.power.compared import Compared, Group, plan_of, planned
from study_app.power.components import ASSUMED, Components, Deviations, Range, declared, from_file
from study_app.power.grid import ENOUGH, Power, Setting, Shown, people_needed, power
from study_app.power.incidence import Incidence, Losses

__all__ = [
    "ASSUMED",
    "ENOUGH",
    "Answer",
    "Compared",
    "Components",
    "Deviations",
    "Group",
    "Incidence",
    "Limit",
    "Losses",
    "Power",
    "Range",
    "Setting",
    "Shown",
    "ask",
    "declared",
    "expected_losses",
    "from_file",
    "people_needed",
    "percent",
    "plan_of",
    "planned",
    "points",
    "power",
]
