"""Suites on many machines: one conductor, which measures nothing, reaches them by SSH.

hosts      the file that names the machines
sent       what is sent to each: suites and their prompts
reach      a machine over SSH: commands, files
doctor     are the machines alike? Said before anything runs
job        one suite on one machine, from the first file sent to the run folder fetched and checked
conduct    which job runs when
folder     what is on disk, so that a conductor that was killed can go on
across     one row a machine; from five machines on, what they say together
"""
