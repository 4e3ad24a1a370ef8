"""The recipe: everything that determines a run."""

from dressage.recipe.load import as_recipe as as_recipe
from dressage.recipe.load import load_recipe as load_recipe
from dressage.recipe.schema import CHOSEN as CHOSEN
from dressage.recipe.schema import SECTIONS as SECTIONS
from dressage.recipe.schema import Data as Data
from dressage.recipe.schema import Loss as Loss
from dressage.recipe.schema import Model as Model
from dressage.recipe.schema import Optim as Optim
from dressage.recipe.schema import Recipe as Recipe
from dressage.recipe.schema import Regularize as Regularize
from dressage.recipe.schema import Schedule as Schedule
from dressage.recipe.schema import Train as Train
from dressage.recipe.schema import Transfer as Transfer
from dressage.recipe.schema import Watch as Watch
from dressage.recipe.schema import cut_at_commas as cut_at_commas
from dressage.recipe.write import to_toml as to_toml
