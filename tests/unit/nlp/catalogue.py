"""The brands the tests of the text pipeline look for."""

from models.brands import Brand

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
    Brand(name="Nike", aliases=("nike.com",), products=("Air Max",)),
    Brand(name="Coca-Cola", aliases=("coke zero",)),
)
