"""How Beam runs on this machine, in the process of the command."""

# Not DirectRunner, which first tries Prism, whose binary it downloads (docs/adr).
IN_MEMORY = ["--runner=FnApiRunner", "--direct_running_mode=in_memory"]
