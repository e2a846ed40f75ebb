"""How to measure energy. No models, no prompts.

bytes       stream follows a meter while others measure; recording keeps what it said
readings    decode, with framing, plist and text
trace       align puts them on the harness clock; faults and timeline judge them
joules      attribute, and phases for what is shorter than a reading
trust       grade, from selftest, idle, together (several sources) and wall (an external meter)
sources     powermetrics, ioreport, rapl, modelled, replay; lab.simulated imitates one
"""
