"""Streamlit components of our own: a thin .py beside its .js and .css."""
