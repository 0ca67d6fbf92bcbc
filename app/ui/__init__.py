"""The pages people see: layout and calls, no logic."""
