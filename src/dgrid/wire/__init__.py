"""Every byte that crosses a process: signed messages, OpenAI bodies, frames, documents, HTTP."""
