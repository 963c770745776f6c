//! One function a command: authorize, load, decide, store, queue effects.
