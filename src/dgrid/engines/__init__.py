"""What runs a model: the embedded llama.cpp, any OpenAI-speaking server, a scripted stand-in; the catalogue and the
tokenizers.
"""
