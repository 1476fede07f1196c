"""The brands the tests of the text pipeline look for."""

from models.brand import Brand

BRANDS = (
    Brand(
        name="United",
        handles={"x": ("united",), "instagram": ("united",)},
        aliases=("United Airlines",),
        hashtags=("flyunited",),
        products=("MileagePlus",),
        competitors=("Delta",),
    ),
    Brand(name="JetBlue", handles={"x": ("JetBlue",)}, aliases=("Jet Blue",)),
    Brand(name="Nike", handles={"x": ("nike",)}, aliases=("nike.com", "Nikes"), products=("Air Max",)),
    Brand(name="Adidas", handles={"x": ("adidas",)}),
    Brand(name="Coca-Cola", aliases=("coke zero",)),
    Brand(name="Sephora", handles={"x": ("sephora",), "instagram": ("sephora",)}, hashtags=("sephorahaul",)),
    Brand(name="Samsung", products=("Galaxy Buds",), competitors=("Apple", "Sony")),
    Brand(name="Spotify", handles={"x": ("spotify",)}),
    Brand(name="H&M", handles={"x": ("hm",)}, aliases=("Hennes & Mauritz",), competitors=("C&A",)),
)
