"""Browsers that packages of several languages download by themselves."""
