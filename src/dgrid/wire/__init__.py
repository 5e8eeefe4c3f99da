"""Every byte that crosses a process: signed messages, OpenAI bodies, frames between gateway and node, documents, HTTP."""
