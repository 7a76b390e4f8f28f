"""The plan of `rnncheck verify`: the sections that its options ask for, held against the count they are to have."""

from rnncheck.errors import UserError
from rnncheck.options import INSTALL_TORCH, VerifyOptions, torch_available
from rnncheck.planning.plan import Plan
from rnncheck.planning.planned import expected_checks
from rnncheck.planning.sections import sections

__all__ = ["plan"]


def plan(options: VerifyOptions, torch: bool | None = None) -> Plan:
    """Plan every check that `options` ask for; `torch` says whether it is there to be asked."""
    torch = torch_available() if torch is None else torch
    planned = Plan("torch" if torch else "stored vectors")
    if not torch:
        planned.notes.append("torch is not installed: judged by the stored vectors alone, no fresh cases, no lockstep")
        _refuse_without_torch(options)
    for section in sections(options, torch):
        section(planned, options)
    planned.hold_against(expected_checks(options, torch))
    if options.select:
        planned.select(options.select)
    return planned


def _refuse_without_torch(options: VerifyOptions) -> None:
    if options.sized or (options.recipe and not options.published) or options.level == "full":
        raise UserError(
            "torch is not installed: fresh cases and lockstep training need it as the oracle; "
            f"install it with {INSTALL_TORCH}, or run `rnncheck verify` to judge by the stored vectors"
        )
