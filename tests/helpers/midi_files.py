"""MIDI files put together by hand, byte by byte."""

import struct

QUARTER = 480
"""Ticks a quarter, if nothing else is said."""

Event = tuple[int, bytes]
"""Ticks since the event before, and what follows in the file."""


def number(value: int) -> bytes:
    parts = [value & 127]
    while value := value >> 7:
        parts.insert(0, value & 127 | 128)
    return bytes(parts)


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack(">I", len(body) if size is None else size) + body


def events(*given: Event) -> bytes:
    return b"".join(number(delta) + event for delta, event in given)


def track(*given: Event) -> bytes:
    return chunk(b"MTrk", events(*given) + b"\0\xff\x2f\0")


def file(*tracks: bytes, layout: int = 1, quarter: int = QUARTER, count: int | None = None) -> bytes:
    return chunk(b"MThd", struct.pack(">HHH", layout, len(tracks) if count is None else count, quarter)) + b"".join(
        tracks
    )


def on(pitch: int, velocity: int = 80, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, pitch, 0])


def control(controller: int, value: int, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, controller, value])


def program(value: int, channel: int = 0) -> bytes:
    return bytes([0xC0 | channel, value])


def bend(share: float, channel: int = 0) -> bytes:
    """A bend by a share of its range, -1 to 1."""
    value = min(8192 + round(share * 8192), 16383)
    return bytes([0xE0 | channel, value & 127, value >> 7])


def name(text: bytes) -> bytes:
    return b"\xff\x03" + number(len(text)) + text


def metre(numerator: int, power: int) -> bytes:
    return bytes([0xFF, 0x58, 4, numerator, power, 24, 8])


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


A_QUARTER: tuple[Event, ...] = ((0, on(60)), (QUARTER, off(60)))
