"""The status page of one member: how everything stands, and what needs a person. Pure: reports in, HTML out.

It names projects and orgs, as the settings do, and no request and no person.
"""
