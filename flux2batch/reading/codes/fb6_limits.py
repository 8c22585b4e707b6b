"""FB6xx: limits of models, counts and money."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB601",
        exit_code=3,
        title="more pixels than the model draws",
        cause="Width times height is more than the model draws. One megapixel is 1,048,576 pixels, as the services "
        "count it.",
        example="params: {size: 2560x2560}",
        fix="params: {size: 2048x2048}",
    ),
    Code(
        name="FB602",
        exit_code=3,
        title="parameter that this model does not take",
        cause="The service would ignore this parameter without a word, so the picture would not be what the job "
        "says. `flux2batch models NAME` lists what a model takes.",
        example="model: bfl/flux-2-pro\nparams: {steps: 30}",
        fix="model: bfl/flux-2-flex\nparams: {steps: 30}",
    ),
    Code(
        name="FB603",
        exit_code=3,
        title="too many references",
        cause="The shot has more references than the model takes.",
        example='model: bfl/flux-2-klein-4b\nreferences: {views: {glob: "refs/*.jpg"}}',
        fix='references: {views: {glob: "refs/*.jpg", max: 4}}',
    ),
    Code(
        name="FB604",
        exit_code=3,
        title="model that this provider does not have",
        cause="The provider is known and so is the model, but the provider does not have it.",
        example="model: fal/flux-2-klein-9b-preview",
        fix="model: bfl/flux-2-klein-9b-preview",
    ),
    Code(
        name="FB605",
        exit_code=4,
        title="more shots than are allowed",
        cause="The axes multiply to more shots than the limit, which guards against a slip of one digit. The number "
        "is worked out, and nothing is expanded.",
        example="sweep: {seed: 1..100000}",
        fix="Shorten an axis, or allow more for this call: --max-shots 100000 (for every call: [limits] max_shots "
        "in config.toml).",
    ),
    Code(
        name="FB606",
        exit_code=3,
        title="two equal shots",
        cause="Two shots of the job are the identical request, so the same picture would be paid for twice.",
        example='prompt: "a {{ colour }} boat"\nsweep: {colour: [red, {id: rouge, value: red}]}',
        fix="Leave one out. equal: share buys it once and lays it at both paths; repeat: {count: 2, seed: same} "
        "asks for it twice on purpose.",
    ),
    Code(
        name="FB607",
        exit_code=3,
        title="size that cannot be worked out",
        cause="The size depends on a first reference whose size is not known (an https reference is not fetched by "
        "a plan), or no size that the model draws can be trimmed to the exact pixels without cutting away "
        "more than a tenth of the picture.",
        example="model: fal/flux-2\nparams: {size: {exact: 728x90}}",
        fix="model: bfl/flux-2-pro\nparams: {size: {exact: 728x90}}",
    ),
    Code(
        name="FB608",
        exit_code=5,
        title="shots that another run may be paying for",
        cause="A run directory beside this one, or one named by --reuse, has asked for the same shots and does not "
        "know yet what became of them. Asked for here as well, they would be paid for twice.",
        example="flux2batch run a.yaml &\nflux2batch run same-shots.yaml",
        fix="Let the other run end, or settle its shots with flux2batch resolve; then run this one, which takes over "
        "its pictures.",
        only_warns=True,
    ),
    Code(
        name="FB609",
        exit_code=4,
        title="a model's default has changed",
        cause="Every default is part of what is asked for, so that it cannot change in silence. Pictures that were "
        "made with the old default are kept, and the same job now asks for others.",
        example="model: bfl/flux-2-flex  # its guidance was 4.5 by default",
        fix="model: bfl/flux-2-flex\nparams: {guidance: 4.5}",
        only_warns=True,
    ),
    Code(
        name="FB610",
        exit_code=4,
        title="over the budget",
        cause="The highest price that the plan can come to is above the budget of the job, of --max-usd or of the "
        "configuration. Nothing is sent.",
        example="budget: {max_usd: 10}",
        fix="Raise the budget, choose fewer shots (--limit, --only), or buy as many as fit: --up-to-budget.",
    ),
    Code(
        name="FB611",
        exit_code=4,
        title="consent is missing",
        cause="A script has to say yes to the price and to the uploads that the plan shows; above $10 it also "
        "needs a budget in the job, --max-usd or a limit in the configuration.",
        example="flux2batch run job.yaml < /dev/null",
        fix="flux2batch run job.yaml --yes --max-usd 20",
    ),
    Code(
        name="FB612",
        exit_code=4,
        title="price not known",
        cause="The catalogue has no price for this model, and an unknown price is never taken to be zero.",
        example="model: bfl/flux-2-next",
        fix='Write the price into config.toml: [prices] "bfl/flux-2-next" = 0.05, or assume one for this call: '
        "--assume-price 0.05.",
    ),
    Code(
        name="FB613",
        exit_code=4,
        title="model not allowed here",
        cause="The configuration lists the models that may be used ([allow] models), and this is none of them. A "
        "job cannot change that.",
        example="model: bfl/flux-2-max",
        fix="Choose one of the models listed, or have the configuration changed.",
    ),
    Code(
        name="FB614",
        exit_code=4,
        title="host not allowed here",
        cause="The configuration lists the hosts that references may lie on and requests may go to ([allow] "
        "hosts), and this is none of them. A job cannot change that.",
        example="references: {logo: https://example.org/logo.png}",
        fix="Download the picture and use the file, or have the configuration changed.",
    ),
)
