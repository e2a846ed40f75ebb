"""What imitates a meter, so that everything behind one can be tried without one. Nothing here measures.

documents     powermetrics documents of our own making, in the shapes that real chips print
standin       a program that takes powermetrics' command line and prints its stream; `simulated` runs it
truth         the exact joules of a stand-in, beside its stream
"""
