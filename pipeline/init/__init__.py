"""Looks at data and writes a commented config for it.

path -> its format (`formats`) -> a sample (`sample`) -> each column's kind (`kinds`) -> label and task -> what is better left out -> YAML
"""
