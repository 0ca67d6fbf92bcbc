"""The script that Streamlit runs for every visit and every click.

Its name must collide with no module: Streamlit puts this folder first on the import path.
"""

from app.ui import search

search.page()
