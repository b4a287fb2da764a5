"""What stands where: a street made up by chance, in meters, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from random import Random

from seglab.data.scene.air import WEATHERS, Air, between, toned
from seglab.data.scene.buildings import Building
from seglab.data.scene.canvas import NEAR, Camera
from seglab.data.scene.cars import Car
from seglab.data.scene.furniture import SIGNS, Fence, Lamp, Post, Sign, TrafficLight
from seglab.data.scene.green import Hedge, Tree
from seglab.data.scene.ground import FAR, KERB, Street
from seglab.data.scene.people import Person

WALLS = [
    ((138, 72, 58), (172, 96, 72)), ((196, 172, 132), (222, 204, 170)), ((120, 120, 120), (165, 165, 162)),
    ((205, 200, 190), (235, 232, 224)), ((112, 84, 62), (146, 112, 84)), ((150, 160, 170), (186, 196, 205)),
    ((190, 150, 92), (214, 176, 110)), ((78, 80, 84), (108, 110, 114)), ((112, 124, 96), (150, 160, 128)),
    ((196, 140, 124), (222, 170, 152)),
]  # fmt: skip
ROOFS = [((112, 52, 40), (150, 76, 56)), ((62, 62, 66), (92, 92, 96)), ((88, 66, 52), (118, 92, 74))]
ACCENTS = [(150, 32, 36), (28, 84, 58), (30, 62, 122), (204, 160, 48), (62, 44, 36), (180, 92, 40), (100, 40, 90)]
LEAVES = [
    ((44, 78, 30), (84, 120, 48)), ((60, 92, 44), (104, 132, 62)), ((96, 104, 60), (126, 128, 84)),
    ((150, 104, 36), (190, 140, 50)),
]  # fmt: skip
PAINTS = [
    (228, 229, 230), (192, 195, 198), (128, 131, 135), (82, 85, 90), (36, 37, 40), (158, 30, 34), (38, 66, 120),
    (96, 24, 30), (178, 164, 138), (60, 84, 72), (202, 150, 40), (120, 140, 160),
    (108, 106, 104), (214, 215, 214), (60, 62, 66), (164, 167, 170),
]  # fmt: skip
CLOTHES = [
    (34, 36, 44), (60, 64, 76), (120, 118, 116), (172, 164, 150), (206, 200, 190), (44, 62, 104), (150, 42, 44),
    (92, 72, 54), (66, 88, 62), (186, 150, 70), (108, 60, 96), (82, 116, 140),
]  # fmt: skip
SKINS = [(236, 196, 168), (214, 166, 134), (168, 120, 90), (112, 76, 56), (84, 56, 42)]
HAIRS = [(34, 26, 22), (70, 46, 30), (132, 96, 58), (170, 166, 160), (24, 22, 24), (140, 70, 36)]
METALS = [(72, 76, 80), (118, 122, 124), (52, 60, 54), (150, 152, 152)]


@dataclass(frozen=True)
class Plan:
    """A scene before it is drawn; `camera` is in shares of the picture's width and is scaled with it."""

    air: Air
    street: Street
    camera: Camera
    things: tuple

    def camera_at(self, width: int, height: int) -> Camera:
        """The camera for a picture of this many pixels."""
        camera = self.camera
        return replace(
            camera,
            width=width,
            height=height,
            focal=camera.focal * width,
            centre=camera.centre * width,
            horizon=camera.horizon * height,
        )


def made_up(seed: str, weather: str) -> Plan:
    """The street of this seed; the weather changes the light, and who carries an umbrella, but not the street."""
    rng = Random(seed)
    town = rng.random() < 0.62  # otherwise houses with front gardens
    street = make_street(rng, town)
    camera = make_camera(rng, street)
    things = [
        *make_houses(rng, street, town),
        *make_green(rng, street, town),
        *make_furniture(rng, street, town),
        *make_traffic(rng, street, camera),
        *make_people(rng, street, camera, weather),
    ]
    # along a ray what is farther away is also farther to the side, which settles the order where depths overlap
    things.sort(key=lambda thing: -thing.depth - 4 * abs(thing.x - camera.x))
    return Plan(WEATHERS[weather](Random(seed + weather)), street, camera, tuple(things))


def make_street(rng: Random, town: bool) -> Street:
    lanes = rng.choice((2, 2, 2, 3, 4)) if town else 2
    parking = rng.choice((0.0, 2.1, 2.1)) if town else rng.choice((0.0, 0.0, 2.0))
    kerb = lanes * rng.uniform(2.7, 3.2) / 2 + parking + (0.3 if not parking else 0)
    planted = kerb + (rng.uniform(0.8, 1.6) if rng.random() < (0.15 if town else 0.5) else 0)
    start = rng.uniform(11, 26)
    crossing = (start, start + rng.uniform(6, 8.5)) if rng.random() < 0.5 else None
    end = rng.uniform(55, 90) if rng.random() < 0.4 else FAR
    grey, warm = rng.uniform(78, 128), rng.uniform(-3, 5)
    pale, tint = rng.uniform(118, 176), rng.uniform(-4, 16)
    lawn = not town and rng.random() < 0.75
    return Street(
        kerb=kerb,
        planted=planted,
        walls=planted + rng.uniform(1.7, 3.6 if town else 2.2),
        lanes=lanes,
        parking=parking,
        crossing=crossing,
        end=end,
        zebra=rng.random() < 0.75,
        worn=rng.uniform(0.0, 0.45),
        asphalt=(grey + warm, grey, grey - warm + 2),
        paving=(pale + tint, pale + tint * 0.3, pale - tint * 0.6),
        yard=between(rng, (74, 104, 48), (112, 124, 70)) if lawn else (pale * 0.9, pale * 0.86, pale * 0.78),
        seed=rng.getrandbits(30),
    )


def make_camera(rng: Random, street: Street) -> Camera:
    """Mostly from a driver's seat, sometimes from the pavement."""
    drive = street.kerb - street.parking
    seat = rng.random()
    if seat < 0.8:
        x, y = drive * rng.uniform(0.12, 0.7), rng.uniform(1.35, 2.1)
    elif seat < 0.92:
        x, y = rng.choice((-1, 1)) * rng.uniform(street.planted + 0.4, street.walls - 0.7), rng.uniform(1.5, 1.9)
    else:
        x, y = rng.uniform(-0.3, 0.3) * drive, rng.uniform(2.4, 3.4)
    yaw = rng.gauss(0, 0.09) + 0.02 * x
    return Camera(
        width=1,
        height=1,
        focal=rng.uniform(0.78, 1.08),
        horizon=rng.uniform(0.40, 0.55),
        centre=min(0.75, max(0.25, 0.5 + yaw)),
        x=x,
        y=y,
        curve=rng.choice((0, 0, 1)) * rng.uniform(-0.0035, 0.0035),
    )


def make_building(rng: Random, side: int, x: float, near: float, far: float, town: bool, scale: float) -> Building:
    floor = rng.uniform(2.9, 3.5)
    storeys = max(2, round(scale * rng.uniform(0.65, 1.45))) if town else rng.choice((1, 2, 2, 2))
    wall = between(rng, *rng.choice(WALLS))
    light = rng.random() < 0.7
    shop = town and rng.random() < 0.55
    return Building(
        side=side,
        x=x,
        near=near,
        far=far,
        deep=rng.uniform(9, 14),
        height=storeys * floor + (0.9 if shop else 0.3),
        floor=floor,
        bay=rng.uniform(2.2, 3.6),
        wall=wall,
        trim=between(rng, (200, 196, 188), (240, 238, 232)) if light else toned(wall, 0.7),
        roof=between(rng, *rng.choice(ROOFS)),
        accent=rng.choice(ACCENTS),
        pitched=rng.random() < (0.3 if town else 0.92),
        shop=shop,
        glassy=town and rng.random() < 0.2,
        balconies=town and rng.random() < 0.25,
        free=not town or rng.random() < 0.2,
        seed=rng.getrandbits(20),
    )


def make_houses(rng: Random, street: Street, town: bool) -> list[Building]:
    """Rows of houses on both sides, a gap where a side street joins, and a row across where the street ends."""
    houses = []
    scale, path = rng.choice((3, 4, 5, 6)), street.walls - street.kerb
    for side in (-1, 1):
        z, x = rng.uniform(-9, 1), street.walls + (0.0 if town else rng.uniform(3, 5.5))
        while z < min(street.end - 6, 90):
            length = rng.uniform(8, 20) if town else rng.uniform(8, 13)
            far = min(z + length, street.end - 2)
            if street.crossing and z < street.crossing[1] and far > street.crossing[0] - path:
                far = street.crossing[0] - path
                if far - z > 4:
                    houses.append(make_building(rng, side, side * x, z, far, town, scale))
                z = street.crossing[1] + path
                continue
            if far - z > 4 and (town or rng.random() < 0.93) and far > NEAR + 0.5:
                set_back = rng.choice((0, 0, 0.6)) if town else rng.uniform(0, 1.5)
                houses.append(make_building(rng, side, side * (x + set_back), z, far, town, scale))
            z = far + (rng.choice((0, 0, 0, 0, rng.uniform(2, 6))) if town else rng.uniform(2, 5))
    x = -32.0
    while street.end < FAR and x < 32:
        house = make_building(rng, 0, x, street.end + 12, street.end + 24, town, scale)
        house = replace(house, deep=rng.uniform(9, 18))
        houses.append(house)
        x += house.deep + (0 if town else rng.uniform(1, 5))
    return houses


def in_crossing(street: Street, z: float, margin: float = 2.0) -> bool:
    """Whether a place along the street is where a side street joins."""
    return street.crossing is not None and street.crossing[0] - margin < z < street.crossing[1] + margin


def make_tree(rng: Random, x: float, z: float, palette: tuple, bush: bool = False) -> Tree:
    radius = rng.uniform(0.5, 1.0) if bush else rng.uniform(1.3, 2.7)
    return Tree(
        x=x,
        z=z,
        stem=0.05 if bush else rng.uniform(2.0, 3.2),
        radius=radius,
        slim=rng.choice((0.8, 0.95, 1.15, 1.6)) if not bush else 0.9,
        color=between(rng, *palette),
        bark=between(rng, (70, 54, 40), (112, 96, 82)),
        seed=rng.getrandbits(16),
    )


def make_green(rng: Random, street: Street, town: bool) -> list:
    """Street trees, garden trees, hedges and garden fences."""
    green: list = []
    palette = rng.choice(LEAVES)
    for side in (-1, 1):
        if rng.random() < (0.55 if town else 0.65):
            at = (street.kerb + 0.7) if street.planted == street.kerb else (street.kerb + street.planted) / 2
            z, spacing = rng.uniform(4, 12), rng.uniform(7, 14)
            while z < min(street.end, 80):
                if not in_crossing(street, z, 3) and rng.random() < 0.85:
                    green.append(make_tree(rng, side * at, z, palette if rng.random() < 0.8 else rng.choice(LEAVES)))
                z += spacing * rng.uniform(0.85, 1.2)
        if town:
            continue
        boundary = rng.choice(("hedge", "boards", "boards", "railing"))
        spans = ((2.5, street.crossing[0] - 3), (street.crossing[1] + 3, 60)) if street.crossing else ((2.5, 60),)
        for near, far in spans:
            green += make_boundary(rng, side * street.walls, near, min(far, street.end - 3), boundary)
        for _ in range(rng.randrange(2, 6)):
            z = rng.uniform(7, 60)
            if not in_crossing(street, z, 4):
                bush = rng.random() < 0.6
                green.append(make_tree(rng, side * (street.walls + rng.uniform(1.2, 2.4)), z, rng.choice(LEAVES), bush))
    return green


def make_boundary(rng: Random, x: float, near: float, far: float, kind: str) -> list:
    """What parts front gardens from the pavement, with gates left open."""
    pieces: list = []
    height, color = rng.uniform(0.9, 1.5), between(rng, (104, 78, 54), (196, 184, 164))
    leaves, metal = between(rng, *rng.choice(LEAVES[:2])), rng.choice(METALS)
    while near < far - 2 and kind != "none":
        stop = min(far, near + rng.uniform(7, 14))
        for start, end in pieces_of(near, stop):
            if kind == "hedge":
                pieces.append(Hedge(x, start, end, height * 1.15, leaves, rng.getrandbits(12)))
            else:
                boards = kind == "boards"
                pieces.append(Fence(x, start, end, height, boards, color if boards else metal))
        near = stop + rng.uniform(1.2, 3)
    return pieces


def pieces_of(near: float, far: float, most: float = 4.2) -> list[tuple[float, float]]:
    """The stretch cut into equal pieces, so short that each has one place in the order of drawing."""
    count = max(1, round((far - near) / most))
    step = (far - near) / count
    return [(near + index * step, near + (index + 1) * step) for index in range(count)]


def make_furniture(rng: Random, street: Street, town: bool) -> list:
    """Lamps, signs, traffic lights, posts and guard rails."""
    things: list = []
    edge, metal = street.kerb + 0.45, rng.choice(METALS)
    lamp_height, arm = rng.uniform(5, 8), rng.uniform(0.9, 2.2)
    z, side = rng.uniform(6, 16), rng.choice((-1, 1))
    while z < 45:
        if not in_crossing(street, z, 1):
            things.append(Lamp(side * edge, z, lamp_height, arm, metal))
        z, side = z + rng.uniform(7, 12), -side
    kinds, size = list(SIGNS), rng.uniform(1.0, 1.35)
    for _ in range(rng.randrange(3, 7)):
        side, z = rng.choice((-1, 1, 1)), rng.uniform(4.5, 18)
        if not in_crossing(street, z, 0.5):
            x, height = side * (edge + rng.uniform(0, 0.3)), rng.uniform(2.0, 2.7)
            things.append(Sign(x, z, height, rng.choice(kinds), size, metal))
    if street.crossing and rng.random() < 0.6:
        shows, height = rng.randrange(3), rng.uniform(2.9, 3.6)
        for side in (-1, 1):
            things.append(TrafficLight(side * edge, street.crossing[0] - 1, height, shows, metal))
            if rng.random() < 0.6:
                things.append(TrafficLight(side * edge, street.crossing[1] + 1, height, shows, metal))
    if rng.random() < 0.3:
        near, side = rng.uniform(5, 12), rng.choice((-1, 1))
        tall, z = rng.uniform(0.8, 1.1), near
        while z < near + 14:
            if not in_crossing(street, z, 1):
                things.append(Post(side * (street.kerb + 0.25), z, tall, 0.18, metal))
            z += 1.8
    if rng.random() < (0.6 if town else 0.25):
        side = rng.choice((-1, 1))
        near = rng.uniform(4, 8)
        far = min(near + rng.uniform(8, 20), street.crossing[0] - 1.5 if street.crossing else 60)
        if far > near + 2:
            color = rng.choice(METALS)
            for start, end in pieces_of(near, far):
                things.append(Fence(side * (street.kerb + 0.3), start, end, 1.05, False, color))
    return things


def make_car(rng: Random, x: float, z: float, heading: float, parked: bool = False) -> Car:
    kind = rng.choice(("hatchback", "hatchback", "saloon", "estate", "suv", "van"))
    return Car(x, z, heading, kind, rng.choice(PAINTS), rng.random() < 0.35, parked)


def make_traffic(rng: Random, street: Street, camera: Camera) -> list[Car]:
    """Parked cars along the kerbs and driving ones in their lanes, on the right."""
    cars = []
    drive = street.kerb - street.parking
    beside = street.kerb - 1.0
    for side in (-1, 1):
        z = rng.uniform(4.5, 10)
        often = rng.uniform(0.45, 0.95) if street.parking else rng.choice((0, 0.25))
        while z < min(street.end - 4, 55):
            near_camera = abs(side * beside - camera.x) < 2.2 and z < 11
            if not in_crossing(street, z, 5.5) and not near_camera and rng.random() < often:
                heading = (0 if side > 0 else pi) + rng.gauss(0, 0.03) + (pi if rng.random() < 0.12 else 0)
                cars.append(make_car(rng, side * beside, z, heading, parked=True))
            z += rng.uniform(5.4, 6.6)
    width = 2 * drive / street.lanes
    for lane in range(street.lanes):
        x = -drive + (lane + 0.5) * width
        away = lane >= street.lanes / 2
        z = rng.uniform(7, 30)
        while z < min(street.end - 6, 65):
            if rng.random() < 0.62 and not (street.crossing and abs(z - street.crossing[0]) < 3):
                cars.append(make_car(rng, x + rng.gauss(0, 0.12), z, (0 if away else pi) + rng.gauss(0, 0.02)))
            z += rng.uniform(8, 24)
    if street.crossing and rng.random() < 0.5:
        way = rng.choice((-1, 1))
        z = sum(street.crossing) / 2 - way * 1.5
        cars.append(make_car(rng, rng.uniform(-7, 7), z, way * pi / 2))
    return cars


def make_people(rng: Random, street: Street, camera: Camera, weather: str) -> list[Person]:
    """People on the pavements, alone or together, and some who cross the road."""
    people = []
    for _ in range(rng.randrange(4, 10)):
        side, z = rng.choice((-1, 1)), rng.uniform(4.5, 9) if rng.random() < 0.6 else rng.uniform(8, 24)
        x = side * rng.uniform(street.planted + 0.35, street.walls - 0.35)
        if in_crossing(street, z, 0.5) or (abs(x - camera.x) < 0.8 and z < 7):
            continue
        for friend in range(rng.choice((1, 1, 1, 2, 3))):
            people.append(make_person(rng, x + 0.55 * friend * -side, z + 0.3 * friend, KERB, weather))
    if rng.random() < 0.45:
        z = street.crossing[0] - 2.2 if street.crossing else rng.uniform(7, 20)
        for _ in range(rng.choice((1, 2, 3))):
            x = rng.uniform(-0.9, 0.9) * street.kerb
            people.append(make_person(rng, x, z + rng.uniform(-0.8, 0.8), 0.0, weather, across=True))
    return people


def make_person(rng: Random, x: float, z: float, ground: float, weather: str, across: bool = False) -> Person:
    child = rng.random() < 0.1
    bag = rng.choice(CLOTHES) if rng.random() < 0.3 else None
    umbrella, carried = rng.choice(ACCENTS + [(30, 32, 36)] * 3), rng.random() < 0.5
    return Person(
        x=x,
        z=z,
        ground=ground,
        height=rng.uniform(1.05, 1.35) if child else rng.uniform(1.58, 1.88),
        width=rng.uniform(0.95, 1.3),
        step=rng.choice((-1, 1)) * rng.uniform(0.25, 1.0) * (1.0 if across else 0.6),
        turn=rng.choice((-1, 1)) if across else rng.choice((-1, 0, 0, 1)),
        top=rng.choice(CLOTHES),
        legs=rng.choice(CLOTHES[:6]),
        skin=rng.choice(SKINS),
        hair=rng.choice(HAIRS),
        coat=rng.random() < 0.35,
        bag=bag,
        umbrella=umbrella if weather == "rain" and carried and not child else None,
    )
