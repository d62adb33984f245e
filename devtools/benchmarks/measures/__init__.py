"""The measurements of all contenders."""
