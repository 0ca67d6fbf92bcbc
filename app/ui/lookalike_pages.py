"""The script that Streamlit runs for every visit and every click.

Its name must collide with no module: Streamlit puts this folder first on the import path.
"""

import streamlit as st

from app.ui import (
    duplicates_page,
    frame,
    label_page,
    library_page,
    map_page,
    review_page,
    search,
)

# In the order of the header. The first answers to the bare address; links to it stay good.
frame.run(
    [
        st.Page(search.page, title="Search", default=True),
        st.Page(label_page.page, title="Label", url_path="label"),
        st.Page(review_page.page, title="Review", url_path="review"),
        st.Page(map_page.page, title="Map", url_path="map"),
        st.Page(duplicates_page.page, title="Duplicates", url_path="duplicates"),
        st.Page(library_page.page, title="Library", url_path="library"),
    ]
)
