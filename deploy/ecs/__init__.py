"""Compiles deploy/ecs/*.toml into CloudFormation: one stack to stand on and to migrate from, one of what serves."""
