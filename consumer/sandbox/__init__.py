"""Stand-ins that ship: the pocket Amplitude and the embedded broker."""
