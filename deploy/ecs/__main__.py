"""`python -m deploy.ecs --env staging`: CloudFormation from the toml files beside this one."""

import argparse
import json
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from deploy.ecs import base, plan, services
from project.env import BASE_DIR


def main(words: list[str] | None = None) -> None:
    """Write the two templates of an environment; deploy/ecs/deploy.sh deploys them."""
    parser = argparse.ArgumentParser(prog="python -m deploy.ecs", description=main.__doc__)
    parser.add_argument("--env", required=True, choices=plan.environments())
    parser.add_argument("--output", type=Path, default=BASE_DIR / "var" / "ecs", metavar="FOLDER")
    options = parser.parse_args(words)
    try:
        found = plan.load(options.env)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    options.output.mkdir(parents=True, exist_ok=True)
    for name, template in (("base", base.template(found)), ("services", services.template(found))):
        path = options.output / f"{options.env}-{name}.json"
        path.write_text(json.dumps(template, indent=2) + "\n")
        print(path)
    for installation, count in found.connections.items():
        print(f"{installation}: up to {count} connections to its database, twice that during a roll")


if __name__ == "__main__":
    main()
