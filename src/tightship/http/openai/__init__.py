"""OpenAI's audio API over the jobs of this server: its own clients work against it unchanged."""
